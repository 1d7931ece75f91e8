// What a reader of committed records sees of Java's transactions: the same as Java's own consumer,
// whatever was aborted, interleaved or left open, and however small the answers are.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type TestBroker, testBroker } from './broker.ts'
import { type Compression, consumeByJava, transactionsByJava } from './java-clients.ts'
import { Session } from './session.ts'

const timeout = 180_000

let broker: TestBroker
let session: Session

before(async () => {
  broker = await testBroker()
  session = await Session.open(broker)
})
after(async () => {
  await session?.[Symbol.asyncDispose]()
  await broker?.[Symbol.asyncDispose]()
})

interface Scene {
  readonly title: string
  /** `send` without its topic. */
  readonly steps: readonly string[]
  /** Names of what is committed, with how many of each, in the order of the log. */
  readonly committed: readonly (readonly [name: string, count: number])[]
  readonly uncommittedCount: number
  readonly compression?: Compression
}

/** Forty bytes a record, and four hundred. */
const small = 40
const large = 400

const scenes: readonly Scene[] = [
  {
    title: 'one producer aborts, commits, aborts and commits',
    steps: [
      ...['p begin', `p send 0 3 A1 ${small}`, 'p abort'],
      ...['p begin', `p send 0 3 C1 ${small}`, 'p commit'],
      ...['p begin', `p send 0 2 A2 ${small}`, 'p abort'],
      ...['p begin', `p send 0 2 C2 ${small}`, 'p commit']
    ],
    committed: [
      ['C1', 3],
      ['C2', 2]
    ],
    uncommittedCount: 10
  },
  {
    title: 'an aborted transaction is longer than many answers',
    steps: [
      ...['p begin', `p send 0 3 C1 ${small}`, 'p commit'],
      ...['p begin', `p send 0 2000 BIG ${large}`, 'p abort'],
      ...['p begin', `p send 0 2 C2 ${small}`, 'p commit'],
      ...['p begin', `p send 0 2 A2 ${small}`, 'p abort']
    ],
    committed: [
      ['C1', 3],
      ['C2', 2]
    ],
    uncommittedCount: 2007
  },
  {
    title: 'transactions of three producers lie between each other',
    steps: [
      ...['p begin', 'q begin', 'r begin'],
      ...[`p send 0 4 P1 ${small}`, `q send 0 4 Q1 ${small}`, `r send 0 4 R1 ${small}`],
      ...[`p send 0 4 P2 ${small}`, 'q abort', 'p commit', `r send 0 4 R2 ${small}`],
      ...['q begin', 'p begin', `q send 0 4 Q2 ${small}`, `p send 0 4 P3 ${small}`],
      ...['r commit', 'p abort', 'q commit']
    ],
    committed: [
      ['P1', 4],
      ['R1', 4],
      ['P2', 4],
      ['R2', 4],
      ['Q2', 4]
    ],
    uncommittedCount: 28
  },
  {
    title: 'compressed batches of both kinds',
    compression: 'zstd',
    steps: [
      ...['p begin', `p send 0 500 A1 ${large}`, 'p abort'],
      ...['q begin', 'p begin', `q send 0 500 C1 ${large}`, `p send 0 500 A2 ${large}`],
      ...['q commit', 'p abort']
    ],
    committed: [['C1', 500]],
    uncommittedCount: 1500
  },
  {
    title: 'a transaction left open hides what comes after it',
    steps: [
      ...['p begin', `p send 0 5 C1 ${small}`, 'p commit'],
      ...['q begin', `q send 0 5 OPEN ${small}`],
      ...['p begin', `p send 0 5 C2 ${small}`, 'p commit']
    ],
    committed: [['C1', 5]],
    uncommittedCount: 15
  }
]

function namesOf(records: readonly { value: string | null }[]): (string | undefined)[] {
  return records.map(({ value }) => value?.replace(/\.*$/, ''))
}

for (const { committed, compression, steps, title, uncommittedCount } of scenes) {
  test(title, { timeout }, async () => {
    const topic = await session.topic('committed')
    const named = steps.map((step) => step.replace(' send ', ` send ${topic} `))
    await transactionsByJava(
      { servers: broker.servers, ...(compression && { compression }) },
      named
    )
    const expected = committed.flatMap(([name, count]) =>
      Array.from({ length: count }, (_, index) => `${name}-${index}`)
    )
    for (const bytesMax of [1_048_576, 65_536, 1_024]) {
      const limits = { partitions: 1, bytesMax, partitionBytesMax: bytesMax }
      const read = await session.readAll(topic, limits)
      assert.deepEqual(namesOf(read), expected, `in answers of ${bytesMax} bytes`)
      const all = await session.readAll(topic, { ...limits, isolation: 'read-uncommitted' })
      assert.equal(all.length, uncommittedCount, `read uncommitted, ${bytesMax} bytes`)
    }
    const theirs = await consumeByJava({ topic, count: expected.length, servers: broker.servers })
    assert.deepEqual(await session.readAll(topic, { partitions: 1 }), theirs)
  })
}
