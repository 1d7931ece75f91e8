// Asks Kafka's own classes what keys and records look like; run as a program it writes their
// answer to test/kafka/golden, from where tests of our own encoder and reader take it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kafka, kafkaVersions } from './jars.ts'
import { jdkProgram, run } from './java.ts'

export const goldenPath: string = join(
  ...[import.meta.dirname, '..', '..', 'test', 'kafka', 'golden', 'java.jsonl']
)

/** A line of JSON for each key and each batch. */
export async function goldenLines(): Promise<string> {
  const { classpath } = await kafka({ version: kafkaVersions.newest })
  const program = join(import.meta.dirname, 'java', 'Golden.java')
  const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'
  const args = ['-Dfile.encoding=UTF-8', quiet, '-cp', classpath, program]
  const { code, stderr, stdout } = await run(jdkProgram('java'), args)
  if (code !== 0) throw new Error(`${program} ended with code ${code}:\n${stderr}`)
  return stdout
}

if (import.meta.main) writeFileSync(goldenPath, await goldenLines())
