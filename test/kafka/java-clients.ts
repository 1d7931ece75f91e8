// Kafka's own clients as tests need them: they write what we read, and read what we wrote.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { javaTool } from './broker.ts'

/** As the console tools show it: headers as `a:1,b:2`. */
export interface TextRecord {
  readonly key: string | null
  readonly value: string | null
  readonly headers: string
}

export interface ReadTextRecord extends TextRecord {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
}

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** Neither of them occurs in what tests write. */
const nothing = '<null>'
const noHeaders = 'NO_HEADERS'

export async function produceByJava(
  { compression, servers, topic }: { compression: Compression; servers: string; topic: string },
  records: readonly TextRecord[]
): Promise<void> {
  const lines = records.map(({ headers, key, value }) =>
    [headers === '' ? nothing : headers, key ?? nothing, value ?? nothing].join('\t')
  )
  const { stderr } = await javaTool(
    await consoleProducer(),
    [
      ...['--bootstrap-server', servers, '--topic', topic],
      ...['--compression-codec', compression],
      // One batch for all of them, so that there is something to compress.
      ...['--producer-property', 'linger.ms=200', '--producer-property', 'batch.size=200000'],
      ...['parse.key=true', 'parse.headers=true', `null.marker=${nothing}`].flatMap(property)
    ],
    { input: lines.map((line) => `${line}\n`).join('') }
  )
  assert.equal(stderr, '', 'the console producer had something to say')
}

/** Reads from the beginning until `count` records came. */
export async function consumeByJava({
  count,
  isolation = 'read_committed',
  servers,
  topic
}: {
  count: number
  isolation?: 'read_committed' | 'read_uncommitted'
  servers: string
  topic: string
}): Promise<ReadTextRecord[]> {
  const shown = ['key', 'headers', 'timestamp', 'offset', 'partition']
  const { stdout } = await javaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
    ...['--bootstrap-server', servers, '--topic', topic, '--from-beginning'],
    ...['--max-messages', String(count), '--timeout-ms', '60000'],
    ...['--isolation-level', isolation],
    ...shown.map((name) => `print.${name}=true`).flatMap(property),
    ...property(`null.literal=${nothing}`)
  ])
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('CreateTime:'))
    .map(asRecord)
}

/**
 * Transactions of Java's producer, a step a line: `p1 begin`, `p1 send TOPIC PARTITION COUNT NAME
 * BYTES`, `p1 commit`, `p1 abort`. Values are `NAME-0` and on, with dots up to so many bytes. What
 * is open at the end stays open.
 */
export async function transactionsByJava(
  { compression = 'none', servers }: { compression?: Compression; servers: string },
  steps: readonly string[]
): Promise<void> {
  const program = join(import.meta.dirname, 'programs', 'Transactions.java')
  await javaTool(program, [servers, compression], { input: `${steps.join('\n')}\n` })
}

function asRecord(line: string): ReadTextRecord {
  const [time, partition, offset, headers, key, value] = line.split('\t')
  const numberOf = (text: string | undefined): number => Number(text?.split(':')[1])
  const orNull = (text = ''): string | null => (text === nothing ? null : text)
  return {
    timestamp: numberOf(time),
    partition: numberOf(partition),
    offset: numberOf(offset),
    headers: headers === noHeaders ? '' : (headers ?? ''),
    key: orNull(key),
    value: orNull(value)
  }
}

function property(text: string): string[] {
  return ['--property', text]
}

let producerClass: Promise<string> | undefined

/** It moved with Kafka 4. */
function consoleProducer(): Promise<string> {
  const classes = ['org.apache.kafka.tools.ConsoleProducer', 'kafka.tools.ConsoleProducer']
  producerClass ??= (async () => {
    for (const name of classes) {
      const asked = await javaTool(name, ['--version'], { isExitCodeChecked: false })
      if (!asked.stderr.includes('ClassNotFoundException')) return name
    }
    throw new Error('this Kafka has no console producer')
  })()
  return producerClass
}
