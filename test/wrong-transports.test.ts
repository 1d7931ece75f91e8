// The transport suite is worth what it catches: logs that are wrong in one thing each, every one of
// them refused by the case that is about it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransportScene } from '../src/conformance/transport-scene.ts'
import { transportCases } from '../src/conformance/transport.ts'
import type { Coordinator } from '../src/port/coordinator.ts'
import type {
  FetchedChunk,
  Fetcher,
  OutgoingRecord,
  Producer,
  TaskCommit,
  TransactionalProducer,
  Transport
} from '../src/port/transport.ts'
import { MemoryBroker } from '../src/transport/memory/broker.ts'
import { createMemoryTransport } from '../src/transport/memory/index.ts'
import { VirtualClock } from '../src/transport/memory/virtual-clock.ts'

type Wrong = (right: Transport, broker: MemoryBroker) => Transport

let zombies = 0

/** What is wrong, how, and the case that says so. */
const wrongs: readonly (readonly [what: string, caughtBy: string, wrong: Wrong])[] = [
  [
    'skips what retention deleted',
    'a reader that retention overtakes is told, and skips nothing by itself',
    withFetcher((fetcher) => ({
      async fetch(limits) {
        const chunks = await fetcher.fetch(limits)
        return chunks.map((chunk) => {
          if (chunk.outOfRange === undefined) return chunk
          const offset = chunk.outOfRange.start
          fetcher.seek({ ...chunk, offset })
          return { ...withoutRange(chunk), nextOffset: offset }
        })
      }
    }))
  ],
  [
    'writes over what nobody released',
    'the bytes of a chunk stay until it is released, whatever is fetched after it',
    withFetcher((fetcher) => {
      let before: readonly FetchedChunk[] = []
      return {
        async fetch(limits) {
          for (const { bytes } of before) bytes.fill(0)
          before = await fetcher.fetch(limits)
          return before
        }
      }
    })
  ],
  [
    'always says that there is no lag',
    'lag is known from every chunk',
    withFetcher((fetcher) => ({
      async fetch(limits) {
        return (await fetcher.fetch(limits)).map((chunk) => ({ ...chunk, end: chunk.nextOffset }))
      }
    }))
  ],
  [
    'does not pause',
    'a paused partition is not read, keeps its position, and holds up no other',
    withFetcher(() => ({ pause: () => {} }))
  ],
  [
    'loses one record in a hundred',
    'records of one partition keep their order without being awaited',
    withProducer((producer) => {
      let count = 0
      return {
        async send(record) {
          if (++count % 100 > 0) return producer.send(record)
          const { topic, partition, timestamp } = record
          return { topic, partition, timestamp, offset: count }
        }
      }
    })
  ],
  [
    'shows records before their transaction ends',
    'nothing is readable before end, then records and offsets all are',
    (right) =>
      withTransactional(() => ({
        append(_task: string, record: OutgoingRecord) {
          void right.producer().then((producer) => producer.send(record))
        }
      }))(right)
  ],
  [
    'commits offsets a moment after the records',
    'whoever reads the end of one partition finds the rest of the transaction',
    (right, broker) =>
      withTransactional((producer) => {
        const commits: TaskCommit[] = []
        return {
          commitOffsets(commit) {
            commits.push(commit)
            producer.commitOffsets({ ...commit, offsets: [] })
          },
          async end() {
            const report = await producer.end()
            await broker.clock.turn()
            for (const { group, offsets } of commits) broker.group(group).storeOffsets(offsets)
            return report
          }
        }
      })(right)
  ],
  [
    'makes empty values of tombstones',
    'what is appended is read as it was, null, empty and large',
    withTransactional((producer) => ({
      append(task, record) {
        producer.append(task, { ...record, value: record.value ?? Buffer.alloc(0) })
      }
    }))
  ],
  [
    'commits what was aborted',
    'an aborted transaction is never seen, and the next one is',
    withTransactional((producer) => ({
      async abort() {
        await producer.end()
      }
    }))
  ],
  [
    'lets a zombie write',
    'a newer producer of the same id fences the older one',
    (right) =>
      over(right, {
        transactionalProducer: (id) => right.transactionalProducer(`${id}-${zombies++}`)
      })
  ],
  [
    'lets a former owner commit',
    'the commit of a member that expired is refused once another has the task',
    (right, broker) =>
      withTransactional((producer) => ({
        commitOffsets({ group, offsets }) {
          broker.group(group).storeOffsets(offsets)
        },
        end: () => producer.end()
      }))(right)
  ],
  [
    'refuses a whole transaction for one fenced task',
    'only the fenced task is left out of a transaction, and it is named',
    (right, broker) =>
      withTransactional((producer) => {
        const fenced: string[] = []
        return {
          commitOffsets(commit) {
            if (!broker.group(commit.group).isOwner(commit)) fenced.push(commit.task)
            producer.commitOffsets(commit)
          },
          async end() {
            if (fenced.length === 0) return producer.end()
            await producer.abort()
            return { fenced, ends: [] }
          }
        }
      })(right)
  ],
  [
    'compacts nothing',
    'compaction keeps the last value of each key at its offset',
    (right) => over(right, { admin: () => over(right.admin(), { maintain: async () => {} }) })
  ],
  [
    'stops everything in a rebalance',
    'tasks that stay keep their epoch when others move',
    withCoordinator((coordinator) => {
      let members = 0
      return {
        async beat() {
          const answer = await coordinator.beat()
          const isSame = members === 0 || members === answer.view.members.length
          members = answer.view.members.length
          if (isSame) return answer
          await coordinator.release(answer.owned.map(({ task }) => task))
          return coordinator.beat()
        }
      }
    })
  ],
  [
    'counts sessions by the wall clock',
    'a wall clock that jumps expires nobody, and keeps nobody',
    (right, broker) =>
      withCoordinator((coordinator) => {
        let lastBeat = Number.POSITIVE_INFINITY
        return {
          async beat() {
            const answer = await coordinator.beat()
            const isLost = broker.clock.now() - lastBeat > 3_000
            lastBeat = broker.clock.now()
            return isLost ? { ...answer, isLost } : answer
          }
        }
      })(right)
  ],
  [
    'keeps the tasks of who leaves',
    'whoever leaves gives everything up at once',
    withCoordinator((coordinator) => ({ leave: () => coordinator.close() }))
  ]
]

for (const [what, caughtBy, wrong] of wrongs) {
  test(`a log that ${what} does not pass`, { timeout: 30_000 }, async () => {
    // By what the case asserts, and not because the log broke down otherwise.
    await assert.rejects(run(caughtBy, wrong), assert.AssertionError)
  })
}

test('the log that the wrong ones are made of passes those cases', async () => {
  for (const [, caughtBy] of wrongs) await run(caughtBy, (right) => right)
})

async function run(title: string, wrong: Wrong): Promise<void> {
  const found = transportCases.find((one) => one.title === title)
  assert.ok(found !== undefined, `there is no case '${title}'`)
  const clock = new VirtualClock()
  const stop = clock.flow()
  const broker = new MemoryBroker({ clock })
  const connect = async (): Promise<Transport> => {
    const right = createMemoryTransport(broker)
    await right.open()
    return wrong(right, broker)
  }
  const jumpWall = (ms: number): void => clock.jumpWall(ms)
  const log = { clock, connect, jumpWall, dispose: stop }
  try {
    await found.run(new TransportScene(log, await connect(), { sessionTimeoutMs: 1_000 }))
  } finally {
    await stop()
  }
}

/** The object with some of its methods replaced. */
function over<T extends object>(right: T, wrong: Partial<T>): T {
  return new Proxy(right, {
    get(target, name) {
      const value: unknown = Reflect.get(name in wrong ? wrong : target, name)
      return typeof value === 'function' && !(name in wrong) ? value.bind(target) : value
    }
  })
}

function withFetcher(wrong: (right: Fetcher) => Partial<Fetcher>): Wrong {
  return (right) =>
    over(right, {
      async fetcher() {
        const fetcher = await right.fetcher()
        return over(fetcher, wrong(fetcher))
      }
    })
}

function withProducer(wrong: (right: Producer) => Partial<Producer>): Wrong {
  return (right) =>
    over(right, {
      async producer() {
        const producer = await right.producer()
        return over(producer, wrong(producer))
      }
    })
}

function withTransactional(
  wrong: (right: TransactionalProducer) => Partial<TransactionalProducer>
): (right: Transport) => Transport {
  return (right) =>
    over(right, {
      async transactionalProducer(id) {
        const producer = await right.transactionalProducer(id)
        return over(producer, wrong(producer))
      }
    })
}

function withCoordinator(
  wrong: (right: Coordinator) => Partial<Coordinator>
): (right: Transport) => Transport {
  return (right) =>
    over(right, {
      async coordinator() {
        const coordinator = await right.coordinator()
        return over(coordinator, wrong(coordinator))
      }
    })
}

function withoutRange(chunk: FetchedChunk): FetchedChunk {
  const { topic, partition, bytes, nextOffset, end } = chunk
  return { topic, partition, bytes, nextOffset, end }
}
