// Several workers on one log, time that jumps, and a seed that decides what goes wrong when.
import { createHash } from 'node:crypto'
import { hasCode } from 'tailrace'
import { TestDisk, TestLog, TestWorker } from 'tailrace/testing'
import { differences, sourceTopics, torn } from './compare.ts'
import { calm, commitTimeoutMs, Faults, type Sometimes, type Victim } from './faults.ts'
import { Random } from './random.ts'
import { type Deed, type Order, recordBytesMax } from './topology.ts'
import { simulatedApp, type SimulatedApp } from './topology.ts'

/** How to read a trace: one line per step, `time  letter  detail`. */
export const readingKey = [
  'reading key: milliseconds, then',
  '  S order sent        P poison sent       Q probe sent        . time alone passes',
  '  J worker starts     L worker leaves     K worker is killed  E worker ended',
  '  D its disk is lost  F worker is frozen  C its clock jumps   B the log breaks for',
  '  M log is compacted  X the group expels it'
].join('\n')

export interface Outcome {
  readonly trace: readonly string[]
  /** Of the trace and of everything that is in the log. */
  readonly digest: string
  /** Empty when all is as the oracle says. */
  readonly problems: readonly string[]
}

interface Node {
  readonly name: string
  readonly worker: TestWorker
  readonly parts: SimulatedApp
  readonly crashed: PromiseWithResolvers<void>
  isCrashed: boolean
  /** What its start ended with. */
  failed: { readonly error: unknown } | undefined
}

const stepsMax = 60
const workersMax = 4
const settleLimitMs = 240_000
const users = ['ann', 'bob', 'cy', 'dee', 'eve', 'fay', 'gil', 'hal', 'ida', 'jo']
const passes = [1, 7, 30, 90, 110, 250, 700]
/** Older than any order: a probe must not move stream time, which the oracle takes from orders. */
const probeAgeMs = 100_000

export function simulate(seed: number, sometimes: Sometimes): Promise<Outcome> {
  return new Simulation(seed, sometimes).run()
}

class Simulation {
  readonly #random: Random
  readonly #faults: Faults
  readonly #log: TestLog
  readonly #nodes = new Map<string, Node>()
  readonly #disks = new Map<string, TestDisk>()
  readonly #trace: string[] = []
  readonly #problems: string[] = []
  readonly #input: SimulatedApp = simulatedApp(calm)
  readonly #committed = new Map<string, number>()
  #brokenUntilMs = 0
  #nextId = 1

  constructor(seed: number, sometimes: Sometimes) {
    this.#random = new Random(seed)
    this.#log = new TestLog({ random: this.#random.fork().next })
    const shares = {
      operations: this.#random.pick([0, 0.002, 0.01, 0.03]) ?? 0,
      events: this.#random.pick([0, 0.02, 0.1]) ?? 0
    }
    const isBroken = (): boolean => this.#log.clock.monotonic() < this.#brokenUntilMs
    this.#faults = new Faults(shares, sometimes, isBroken)
    this.#watchCommits()
  }

  async run(): Promise<Outcome> {
    this.#join()
    await this.#pass(this.#random.whole(0, 600))
    const steps = this.#random.whole(stepsMax / 3, stepsMax)
    for (let step = 0; step < steps && this.#problems.length === 0; step++) await this.#step()
    await this.#calmDown()
    return { trace: this.#trace, digest: this.#digest(), problems: this.#problems }
  }

  // What the log refuses is known to nobody else.
  #watchCommits(): void {
    const { broker } = this.#log
    const commit = broker.commit.bind(broker)
    broker.commit = (transaction) => {
      try {
        const report = commit(transaction)
        if (report.fenced.length > 0) this.#faults.count('commit of a task that another owns')
        return report
      } catch (error) {
        this.#faults.count('commit of a producer that was replaced')
        throw error
      }
    }
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
    else if (draw < 0.34) this.#compact()
    else if (draw < 0.37) this.#expel()
    await this.#pass(random.chance(0.01) ? 35_000 : (random.pick(passes) ?? 1))
    this.#checkOffsets()
    if (random.chance(0.15)) this.#problems.push(...torn(this.#log))
  }

  #send(): void {
    const random = this.#random
    const key = random.pick(users) ?? 'ann'
    const now = this.#log.clock.now()
    if (random.chance(0.15)) {
      const id = this.#nextId++
      const value = JSON.stringify({ id })
      this.#log.append(this.#input.probes, { key, value, timestamp: now - probeAgeMs })
      this.#say('Q', `${id} ${key}`)
      return
    }
    const timestamp = now - (random.pick([0, 0, 0, 20, 600, 1_800, 4_000]) ?? 0)
    if (random.chance(0.02)) {
      const offset = this.#log.append(this.#input.orders, { key, value: '{broken', timestamp })
      this.#say('P', `${key} offset ${offset}`)
      this.#faults.count('order that is unreadable')
      return
    }
    const order = this.#order()
    this.#log.append(this.#input.orders, { key, value: JSON.stringify(order), timestamp })
    this.#say('S', `${order.id} ${key} ${order.account} ${order.deed} ${timestamp - now}`)
  }

  #order(): Order {
    const random = this.#random
    const deed: Deed = random.chance(0.8)
      ? 'plain'
      : (random.pick(['curse', 'skip', 'drop', 'small'] as const) ?? 'plain')
    const isHeavy = random.chance(0.01)
    if (deed === 'curse') this.#faults.count('order that is cursed')
    if (deed === 'skip') this.#faults.count('order that is skipped')
    if (isHeavy) this.#faults.count('row too large to commit')
    return {
      id: this.#nextId++,
      account: `a${random.whole(1, 6)}`,
      amount: random.whole(1, 9),
      deed,
      note: isHeavy ? recordBytesMax + 1 : random.whole(0, 40)
    }
  }

  #join(): void {
    if (this.#nodes.size >= workersMax) return
    const names = Array.from({ length: workersMax }, (_, index) => `w${index + 1}`)
    const name = this.#random.pick(names.filter((one) => !this.#nodes.has(one))) ?? 'w1'
    const node = this.#newNode(name, this.#random.fork())
    this.#nodes.set(name, node)
    this.#say('J', name)
    this.#faults.count('join')
    node.worker.start().catch((error: unknown) => {
      node.failed = { error }
    })
  }

  #newNode(name: string, random: Random): Node {
    const disk = this.#disks.get(name) ?? new TestDisk()
    this.#disks.set(name, disk)
    const victim: Victim = {
      random,
      crash: () => this.#crash(node),
      pause: (ms) => worker.clock.pause(ms)
    }
    const width = { notes: random.pick([1, 3]) ?? 1, accounts: random.pick([1, 4]) ?? 1 }
    if (width.notes > 1) this.#faults.count('several events at once, beside others')
    if (width.accounts > 1) this.#faults.count('several events at once')
    const parts = simulatedApp(
      this.#faults.weather(() => victim),
      width
    )
    const worker = new TestWorker(parts.app, {
      log: this.#log,
      disk,
      instanceId: name,
      random: random.next,
      settings: {
        commitIntervalMs: random.pick([20, 100, 400]) ?? 100,
        commitTimeoutMs,
        drainTimeoutMs: 500,
        shutdownTimeoutMs: 1_000,
        taskIdleMs: random.pick([0, 0, 30]) ?? 0,
        // Small ones: rows leave the cache, queues are paused, state left behind is deleted.
        cacheBytesMax: random.pick([64 * 1_048_576, 3_000]) ?? 3_000,
        queueRecordsMax: random.pick([10_000, 4]) ?? 4,
        stateCleanupMs: random.pick([600_000, 1_500]) ?? 1_500,
        recordBytesMax
      },
      faults: (operation) => this.#faults.of(operation, victim),
      diskDelay: this.#faults.disk(() => victim)
    })
    const node: Node = {
      name,
      worker,
      parts,
      crashed: Promise.withResolvers(),
      isCrashed: false,
      failed: undefined
    }
    return node
  }

  #crash(node: Node): void {
    if (node.isCrashed) return
    node.isCrashed = true
    node.worker.crash()
    node.crashed.resolve()
    this.#say('K', node.name)
  }

  #kill(): void {
    const node = this.#random.pick([...this.#nodes.values()])
    if (node === undefined) return
    this.#crash(node)
    this.#forget(node)
    this.#faults.count('crash')
    if (!this.#random.chance(0.3)) return this.#faults.count('disk kept')
    this.#disks.delete(node.name)
    this.#say('D', node.name)
    this.#faults.count('disk lost')
  }

  async #leave(): Promise<void> {
    const node = this.#random.pick([...this.#nodes.values()])
    if (node === undefined || node.worker.status().state !== 'running') return
    this.#say('L', node.name)
    this.#faults.count('leave')
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
    this.#faults.count(forMs > 3_000 ? 'freeze beyond the session' : 'freeze within the session')
  }

  // As after a session that ran out on the way, or by an operator: the worker itself is well.
  #expel(): void {
    const node = this.#random.pick([...this.#nodes.values()])
    if (node === undefined) return
    this.#log.broker.group('sim').leave(node.worker.status().memberId)
    this.#say('X', node.name)
    this.#faults.count('worker expelled by its group')
  }

  #jump(): void {
    const node = this.#random.pick([...this.#nodes.values()])
    const byMs = this.#random.whole(-600_000, 600_000)
    if (node === undefined) return
    node.worker.clock.jump(byMs)
    this.#say('C', `${node.name} ${byMs}`)
    this.#faults.count('clock jump')
  }

  #breakLog(): void {
    const forMs = this.#random.pick([10, 100, 250]) ?? 10
    this.#brokenUntilMs = this.#log.clock.monotonic() + forMs
    this.#say('B', String(forMs))
  }

  #compact(): void {
    this.#log.broker.maintain(true)
    this.#say('M', '')
    this.#faults.count('log compacted')
  }

  async #pass(ms: number): Promise<void> {
    this.#say('.', String(ms))
    await this.#log.clock.advance(ms)
    for (const node of [...this.#nodes.values()]) {
      const ended = node.worker.ended ?? node.failed
      if (node.isCrashed) this.#forget(node)
      if (node.isCrashed || ended === undefined) continue
      this.#say('E', `${node.name} ${String(ended.error).split('\n')[0]}`)
      if (!isExpected(ended.error)) this.#problems.push(`${node.name}: ${stackOf(ended.error)}`)
      this.#faults.count('worker died of a fault')
      this.#crash(node)
      this.#forget(node)
    }
  }

  #forget(node: Node): void {
    const { late, restarts } = node.worker.status().counters
    if (restarts > 0) this.#faults.count('commit restarted all tasks')
    if (late > 0) this.#faults.count('late event')
    this.#nodes.delete(node.name)
  }

  // A worker that was fenced must never take a group back.
  #checkOffsets(): void {
    for (const topic of sourceTopics) {
      for (let partition = 0; partition < 4; partition++) {
        const [found] = this.#log.broker.committed('sim', [{ topic, partition }])
        const name = `${topic}/${partition}`
        const before = this.#committed.get(name) ?? 0
        const now = found?.offset ?? 0
        if (now < before) this.#problems.push(`${name} went back from ${before} to ${now}`)
        this.#committed.set(name, now)
      }
    }
  }

  // Faults are over: what is left must come right by itself.
  async #calmDown(): Promise<void> {
    this.#faults.end()
    // What is frozen or delayed longest is over then.
    await this.#pass(8_000)
    const until = this.#log.clock.monotonic() + settleLimitMs
    do {
      if (this.#nodes.size === 0) this.#join()
      await this.#pass(500)
    } while (!this.#isCalm() && this.#log.clock.monotonic() < until)
    if (this.#isCalm()) await this.#compare()
    else this.#problems.push(this.#stuck(), ...torn(this.#log))
    for (const node of [...this.#nodes.values()]) {
      this.#crash(node)
      this.#forget(node)
    }
  }

  async #compare(): Promise<void> {
    // The store is written after the log.
    await this.#pass(3_000)
    const nodes = [...this.#nodes.values()]
    // Disks take their time here too.
    this.#problems.push(...(await this.#log.clock.settle(differences(this.#log, nodes))))
  }

  // A worker that was given up and does not know it yet is ready, and answers from the past.
  #isCalm(): boolean {
    const { members, unowned } = this.#log.broker.group('sim').view()
    return (
      this.#log.isCommitted('sim', sourceTopics) &&
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

  #stuck(): string {
    const committed = sourceTopics.map((topic) => {
      return `${topic} ${this.#log.isCommitted('sim', [topic])}`
    })
    const dumps = [...this.#nodes.values()].map(({ worker }) => worker.runtime.dump())
    return [`not calm after ${settleLimitMs} ms: committed: ${committed}`, ...dumps].join('\n')
  }

  #say(letter: string, detail: string): void {
    this.#trace.push(`${this.#log.clock.monotonic().toFixed(3).padStart(11)}  ${letter}  ${detail}`)
  }

  #digest(): string {
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

function isExpected(error: unknown): boolean {
  return (
    error === undefined ||
    hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE') ||
    hasCode(error, 'TAILRACE_TRANSPORT_FENCED')
  )
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
