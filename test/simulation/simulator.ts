// Several workers on one log, time that jumps, and a seed that decides what goes wrong when.
import { createHash } from 'node:crypto'
import { hasCode, TailraceError } from 'tailrace'
import { type Fault, TestDisk, TestLog, TestWorker } from 'tailrace/testing'
import { differences } from './compare.ts'
import { Random } from './random.ts'
import { simulatedApp, type SimulatedApp, type Weather } from './topology.ts'

/** How to read a trace: one line per step, `time  letter  detail`. */
export const readingKey = [
  'reading key: milliseconds, then',
  '  S order sent        P poison sent      J worker starts     L worker leaves',
  '  K worker is killed  D its disk is lost F worker is frozen  C its wall clock jumps',
  '  B a log breaks for  E worker ended     . time alone passes'
].join('\n')

/** What can go wrong; each must have happened over all seeds. */
export const kinds = [
  'crash',
  'crash in a commit',
  'disk lost',
  'disk kept',
  'leave',
  'join',
  'freeze within the session',
  'freeze beyond the session',
  'clock jump',
  'operation delayed',
  'operation failed',
  'commit failed, known',
  'commit failed, unknown',
  'commit restarted all tasks',
  'event thrown back',
  'event waited',
  'poison',
  'late event',
  'worker died of a fault'
] as const

export type Kind = (typeof kinds)[number]
export type Sometimes = Map<Kind, number>

export interface Outcome {
  readonly trace: readonly string[]
  /** Of the trace and of everything that is in the log. */
  readonly hash: string
  /** Empty when all is as the oracle says. */
  readonly problems: readonly string[]
}

interface Node {
  readonly name: string
  readonly worker: TestWorker
  readonly parts: SimulatedApp
  readonly crashed: PromiseWithResolvers<void>
  isCrashed: boolean
}

const stepsMax = 60
const workersMax = 4
const settleLimitMs = 240_000
const users = ['ann', 'bob', 'cy', 'dee', 'eve', 'fay', 'gil', 'hal', 'ida', 'jo']

export function simulate(seed: number, sometimes: Sometimes): Promise<Outcome> {
  return new Simulation(seed, sometimes).run()
}

class Simulation {
  readonly #random: Random
  readonly #sometimes: Sometimes
  readonly #log: TestLog
  readonly #nodes = new Map<string, Node>()
  readonly #disks = new Map<string, TestDisk>()
  readonly #trace: string[] = []
  readonly #problems: string[] = []
  readonly #input: SimulatedApp
  /** Share of operations, and of events, that go wrong; zero at the end. */
  #faultShare: number
  #weatherShare: number
  #brokenUntilMs = 0
  #nextOrder = 1

  constructor(seed: number, sometimes: Sometimes) {
    this.#random = new Random(seed)
    this.#sometimes = sometimes
    this.#log = new TestLog({ random: this.#random.fork().next })
    this.#faultShare = this.#random.pick([0, 0.002, 0.01, 0.03]) ?? 0
    this.#weatherShare = this.#random.pick([0, 0.02, 0.1]) ?? 0
    const calm: Weather = { maybeThrow: () => undefined, maybeWait: () => undefined }
    this.#input = simulatedApp(calm)
  }

  async run(): Promise<Outcome> {
    this.#join()
    await this.#pass(this.#random.whole(0, 600))
    const steps = this.#random.whole(stepsMax / 3, stepsMax)
    for (let step = 0; step < steps; step++) await this.#step()
    await this.#calmDown()
    const trace = this.#trace
    return { trace, hash: this.#hash(), problems: this.#problems }
  }

  async #step(): Promise<void> {
    const random = this.#random
    for (let count = random.whole(0, 8); count > 0; count--) this.#send()
    const draw = random.next()
    if (draw < 0.06) this.#kill()
    else if (draw < 0.16) this.#join()
    else if (draw < 0.2) await this.#leave()
    else if (draw < 0.25) this.#freeze()
    else if (draw < 0.28) this.#jump()
    else if (draw < 0.32) this.#breakLog()
    await this.#pass(random.pick([1, 7, 30, 90, 110, 250, 700]) ?? 1)
  }

  #send(): void {
    const random = this.#random
    const key = random.pick(users) ?? 'ann'
    const { orders } = this.#input
    const timestamp = this.#log.clock.now() - random.pick([0, 0, 0, 20, 600, 1_800, 4_000])!
    if (random.chance(0.02)) {
      const offset = this.#log.append(orders, { key, value: '{broken', timestamp })
      this.#say('P', `${key} offset ${offset}`)
      this.#count('poison')
      return
    }
    const id = this.#nextOrder++
    const account = `a${random.whole(1, 6)}`
    const value = JSON.stringify({ id, account, amount: random.whole(1, 9) })
    this.#log.append(orders, { key, value, timestamp })
    this.#say('S', `${id} ${key} ${account} ${timestamp - this.#log.clock.now()}`)
  }

  #join(): void {
    if (this.#nodes.size >= workersMax) return
    const names = Array.from({ length: workersMax }, (_, index) => `w${index + 1}`)
    const name = this.#random.pick(names.filter((one) => !this.#nodes.has(one))) ?? 'w1'
    const disk = this.#disks.get(name) ?? new TestDisk()
    this.#disks.set(name, disk)
    const random = this.#random.fork()
    let worker: TestWorker | undefined
    const parts = simulatedApp(this.#weather(random, () => worker))
    worker = new TestWorker(parts.app, {
      log: this.#log,
      disk,
      instanceId: name,
      random: random.next,
      settings: { commitTimeoutMs: 4_000, drainTimeoutMs: 500, shutdownTimeoutMs: 1_000 },
      faults: (operation) => {
        if (operation === 'transaction.end') this.#crashSometimes(node, random)
        return this.#faultOf(operation, random)
      },
      diskDelay: async () => {
        if (random.chance(0.3)) await worker?.clock.pause(random.whole(0, 40))
      }
    })
    const node: Node = {
      name,
      worker,
      parts,
      crashed: Promise.withResolvers(),
      isCrashed: false
    }
    this.#nodes.set(name, node)
    this.#say('J', name)
    this.#count('join')
    // Whether its start succeeds is told by `ended`.
    worker.start().catch(() => undefined)
  }

  // Before the commit takes hold, or after it and before anybody hears of it.
  #crashSometimes(node: Node, random: Random): void {
    if (!random.chance(this.#faultShare / 4)) return
    this.#count('crash in a commit')
    if (random.chance(0.5)) this.#crash(node)
    else queueMicrotask(() => this.#crash(node))
  }

  #crash(node: Node): void {
    if (node.isCrashed) return
    node.isCrashed = true
    node.worker.crash()
    node.crashed.resolve()
    this.#say('K', node.name)
  }

  #weather(random: Random, worker: () => TestWorker | undefined): Weather {
    return {
      maybeThrow: () => {
        if (!random.chance(this.#weatherShare)) return
        this.#count('event thrown back')
        throw new Error('weather')
      },
      maybeWait: () => {
        if (!random.chance(this.#weatherShare)) return undefined
        this.#count('event waited')
        return worker()?.clock.pause(random.whole(0, 150))
      }
    }
  }

  #faultOf(operation: string, random: Random): Fault | undefined {
    const isBroken = this.#log.clock.monotonic() < this.#brokenUntilMs
    if (!isBroken && !random.chance(this.#faultShare)) return undefined
    if (!isBroken && random.chance(0.6)) {
      this.#count('operation delayed')
      return { delayMs: random.whole(0, 300) }
    }
    // Beats and waits are asked often; the others would end most workers at once.
    if (!breakable.has(operation)) return undefined
    const isAfter = random.chance(0.5)
    this.#count('operation failed')
    if (operation === 'transaction.end') {
      this.#count(isAfter ? 'commit failed, unknown' : 'commit failed, known')
    }
    const error = new TailraceError('TAILRACE_TRANSPORT_UNAVAILABLE', `${operation} was broken`)
    return { error, isAfter }
  }

  #kill(): void {
    const node = this.#random.pick([...this.#nodes.values()])
    if (node === undefined) return
    this.#crash(node)
    this.#forget(node)
    this.#count('crash')
    if (!this.#random.chance(0.3)) return this.#count('disk kept')
    this.#disks.delete(node.name)
    this.#say('D', node.name)
    this.#count('disk lost')
  }

  async #leave(): Promise<void> {
    const node = this.#random.pick([...this.#nodes.values()])
    if (node === undefined || node.worker.status().state !== 'running') return
    this.#say('L', node.name)
    this.#count('leave')
    const stopped = node.worker.runtime.stop({ reason: 'the simulation' })
    await this.#log.clock.settle(Promise.race([stopped, node.crashed.promise]))
    this.#forget(node)
  }

  #freeze(): void {
    const node = this.#random.pick([...this.#nodes.values()])
    if (node === undefined) return
    const forMs = this.#random.pick([50, 400, 2_000, 3_500, 7_000]) ?? 50
    node.worker.freeze(forMs)
    this.#say('F', `${node.name} ${forMs}`)
    this.#count(forMs > 3_000 ? 'freeze beyond the session' : 'freeze within the session')
  }

  #jump(): void {
    const node = this.#random.pick([...this.#nodes.values()])
    const byMs = this.#random.whole(-600_000, 600_000)
    node?.worker.clock.jump(byMs)
    this.#say('C', `${node?.name} ${byMs}`)
    this.#count('clock jump')
  }

  #breakLog(): void {
    const forMs = this.#random.pick([10, 100, 250]) ?? 10
    this.#brokenUntilMs = this.#log.clock.monotonic() + forMs
    this.#say('B', String(forMs))
  }

  async #pass(ms: number): Promise<void> {
    this.#say('.', String(ms))
    await this.#log.clock.advance(ms)
    for (const node of [...this.#nodes.values()]) {
      const { ended } = node.worker
      if (node.isCrashed) this.#forget(node)
      if (ended === undefined) continue
      this.#say('E', `${node.name} ${messageOf(ended.error)}`)
      if (!isExpected(ended.error)) this.#problems.push(`${node.name}: ${stackOf(ended.error)}`)
      this.#count('worker died of a fault')
      node.worker.crash()
      this.#forget(node)
    }
  }

  #forget(node: Node): void {
    this.#addCounters(node)
    this.#nodes.delete(node.name)
  }

  #addCounters({ worker }: Node): void {
    const { late, restarts } = worker.status().counters
    if (restarts > 0) this.#count('commit restarted all tasks')
    if (late > 0) this.#count('late event')
  }

  // Faults are over: what is left must come right by itself.
  async #calmDown(): Promise<void> {
    this.#faultShare = 0
    this.#weatherShare = 0
    this.#brokenUntilMs = 0
    const until = this.#log.clock.monotonic() + settleLimitMs
    const topics = ['orders', 'audit', 'sim-by-account-repartition']
    do {
      if (this.#nodes.size === 0) this.#join()
      await this.#pass(500)
    } while (!this.#isCalm(topics) && this.#log.clock.monotonic() < until)
    if (!this.#isCalm(topics)) this.#problems.push(this.#stuck(topics))
    // The store is written after the log.
    await this.#pass(200)
    const nodes = [...this.#nodes.values()]
    // Disks take their time here too.
    this.#problems.push(...(await this.#log.clock.settle(differences(this.#log, nodes))))
    for (const node of nodes) {
      node.worker.crash()
      this.#forget(node)
    }
  }

  // A worker that was given up and does not know it yet is ready, and answers from the past.
  #isCalm(topics: readonly string[]): boolean {
    const { members, unowned } = this.#log.broker.group('sim').view()
    return (
      this.#log.isCommitted('sim', topics) &&
      unowned.length === 0 &&
      members.length === this.#nodes.size &&
      [...this.#nodes.values()].every(({ worker }) => {
        const { isReady, memberId, tasks } = worker.status()
        const own = members.find((member) => member.memberId === memberId)?.tasks ?? []
        const open = new Set(tasks.map(({ id }) => id))
        return isReady && own.every((id) => open.has(id) || id.startsWith('~leader'))
      })
    )
  }

  #stuck(topics: readonly string[]): string {
    const committed = topics.map((topic) => `${topic} ${this.#log.isCommitted('sim', [topic])}`)
    const dumps = [...this.#nodes.values()].map(({ worker }) => worker.runtime.dump())
    return [`not calm after ${settleLimitMs} ms: committed: ${committed}`, ...dumps].join('\n')
  }

  #count(kind: Kind): void {
    this.#sometimes.set(kind, (this.#sometimes.get(kind) ?? 0) + 1)
  }

  #say(letter: string, detail: string): void {
    this.#trace.push(`${String(this.#log.clock.monotonic()).padStart(7)}  ${letter}  ${detail}`)
  }

  #hash(): string {
    const hash = createHash('sha256')
    for (const line of this.#trace) hash.update(line)
    for (const { name } of this.#log.broker.topics()) {
      for (const { key, offset, value } of this.#log.readBytes(name)) {
        hash.update(`${name} ${offset} ${key?.toString('hex')} ${value?.toString('hex')}\n`)
      }
    }
    return hash.digest('hex').slice(0, 16)
  }
}

const breakable: ReadonlySet<string> = new Set([
  'transaction.end',
  'transaction.open',
  'transaction.begin',
  'fetch',
  'fetch.open',
  'group.beat',
  'group.changed',
  'group.release',
  'admin.committed',
  'admin.ranges',
  'admin.deleteRecords'
])

function isExpected(error: unknown): boolean {
  return (
    error === undefined ||
    hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE') ||
    hasCode(error, 'TAILRACE_TRANSPORT_FENCED')
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
