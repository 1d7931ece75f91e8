// The Java half of the bench: Kafka's jars, and the repository's own classes by javac.
import { readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { kafka } from '../../scripts/kafka/jars.ts'
import { jdkProgram, run } from '../../scripts/kafka/java.ts'

const sources = join(import.meta.dirname, '..', 'peers', 'java')

export interface Java {
  /** Of Kafka: of its clients and of Kafka Streams. */
  readonly version: string
  /** The command line of a class, Kafka's or ours. */
  command(main: string, options: { readonly heap: string }): readonly string[]
}

/** Jars and classes; `directory` takes what javac makes. */
export async function prepareJava(directory: string): Promise<Java> {
  const { classpath: jars, version } = await kafka({ hasStreams: true })
  const names = (await readdir(sources)).filter((name) => name.endsWith('.java'))
  const classes = join(directory, 'classes')
  const files = names.map((name) => join(sources, name))
  const options = ['-proc:none', '-nowarn', '-cp', jars, '-d', classes]
  const { code, stderr } = await run(jdkProgram('javac'), [...options, ...files])
  if (code !== 0) throw new Error(`javac refused bench/peers/java (exit code ${code}):\n${stderr}`)
  const path = [classes, jars].join(delimiter)
  return {
    version,
    command: (main, { heap }) => [
      jdkProgram('java'),
      `-Xmx${heap}`,
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-cp',
      path,
      main
    ]
  }
}
