// Kafka's jars: fetched once from Maven Central into a folder of the repository that git ignores.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { jdkProgram, run } from './java.ts'
import { locked } from './lock.ts'

/** `newest` is the newest release all parts of which are on Maven Central: 4.4.0 lacks one. */
export const kafkaVersions = { newest: '4.3.1', oldest: '3.9.2' } as const

export interface Kafka {
  readonly version: string
  /** Jars, and the classes of `java/` beside this file. */
  readonly classpath: string
}

/** `TAILRACE_TEST_KAFKA_VERSION=oldest npm run test:kafka` is the lane of compatibility. */
function defaultVersion(): string {
  const named = process.env['TAILRACE_TEST_KAFKA_VERSION'] ?? 'newest'
  return named === 'newest' || named === 'oldest' ? kafkaVersions[named] : named
}

export interface KafkaOptions {
  /** Default: `newest`, or what TAILRACE_TEST_KAFKA_VERSION says. */
  readonly version?: string
  /** With Kafka Streams, for the bench. */
  readonly hasStreams?: boolean
}

/** Ignored by git; deleted without harm. */
export const cache: string = join(import.meta.dirname, '..', '..', '.cache', 'kafka')
const sources: readonly string[] = ['BrokerMain.java', 'Certificates.java'].map((name) =>
  join(import.meta.dirname, 'java', name)
)

/** Kafka of a version, ready to be run. The first call of a machine downloads some 45 MB. */
export async function kafka({
  hasStreams = false,
  version = defaultVersion()
}: KafkaOptions = {}): Promise<Kafka> {
  const name = hasStreams ? `${version}-streams` : version
  const jars = join(cache, name)
  const classes = join(cache, `classes-${name}-${fingerprint()}`)
  if (!existsSync(jars) || !existsSync(classes)) {
    await locked(join(cache, `${name}.lock`), async () => {
      if (!existsSync(jars)) await whole(jars, (into) => copyJars(into, { hasStreams, version }))
      if (!existsSync(classes)) await whole(classes, (into) => compile(into, jars))
    })
  }
  return { version, classpath: [classes, jarPath(jars)].join(delimiter) }
}

/** Written beside its place and then moved: what is there is all there. */
export async function whole(path: string, write: (into: string) => Promise<void>): Promise<void> {
  await mkdir(cache, { recursive: true })
  const draft = await mkdtemp(`${path}.draft-`)
  try {
    await write(draft)
    await rename(draft, path)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function copyJars(into: string, options: Required<KafkaOptions>): Promise<void> {
  const args = [
    '--batch-mode',
    '--quiet',
    '--file',
    join(import.meta.dirname, 'pom.xml'),
    `-Dkafka.version=${options.version}`,
    `-DoutputDirectory=${into}`,
    ...(options.hasStreams ? ['--activate-profiles=streams'] : []),
    'dependency:copy-dependencies'
  ]
  const { code, stderr, stdout } = await run('mvn', args)
  if (code === 0 && readdirSync(into).some((name) => name.startsWith('kafka-clients'))) return
  throw new Error(
    `Maven could not copy the jars of Kafka ${options.version} (exit code ${code}). Is Maven ` +
      'Central, or the mirror that ~/.m2/settings.xml names, in reach? Or name a broker of your ' +
      `own: TAILRACE_TEST_KAFKA=host:port. Maven said:\n${`${stdout}${stderr}`.slice(0, 2_000)}`
  )
}

async function compile(into: string, jars: string): Promise<void> {
  const args = ['-nowarn', '-d', into, '-cp', jarPath(jars), ...sources]
  const { code, stderr } = await run(jdkProgram('javac'), args)
  if (code !== 0)
    throw new Error(`javac refused scripts/kafka/java (exit code ${code}):\n${stderr}`)
}

/** In a fixed order: the same class must win on every machine. */
function jarPath(jars: string): string {
  const names = readdirSync(jars).filter((name) => name.endsWith('.jar'))
  return names
    .toSorted()
    .map((name) => join(jars, name))
    .join(delimiter)
}

function fingerprint(): string {
  const hash = createHash('sha256')
  for (const path of sources) hash.update(readFileSync(path))
  return hash.digest('hex').slice(0, 12)
}
