// Random faults from a seed: brokers' answers are lost, held and late, connections cut, workers
// killed and stopped; then everything is compared.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Scene } from '../process/run.ts'
import type { WorkerProcess } from '../process/worker-process.ts'
import { underLoad } from './harmed-scene.ts'
import type { ProxiedBroker } from './proxy.ts'
import type { Api, Fault, FaultKind } from './proxy-faults.ts'

export interface FaultRun {
  readonly scene: Scene
  readonly broker: ProxiedBroker
  readonly seed: number
  readonly forMs: number
  readonly workers: number
  /** What was done, as it is done. */
  readonly say: (what: string) => void
}

const apis: readonly Api[] = [
  ...(['Produce', 'Produce', 'Fetch', 'TxnOffsetCommit', 'TxnOffsetCommit', 'EndTxn'] as const),
  ...(['EndTxn', 'InitProducerId', 'JoinGroup', 'SyncGroup', 'Heartbeat', 'OffsetFetch'] as const),
  ...(['FindCoordinator', 'Metadata', 'ListOffsets', 'ApiVersions', 'LeaveGroup'] as const)
]

const kinds: readonly FaultKind[] = [
  'lose-request',
  'lose-answer',
  'late-request',
  'hold-request',
  'hold-answer'
]

/** How long something is held: a moment, or beyond the session of 3 s. */
const heldMs: readonly number[] = [50, 300, 1_500, 4_500]

export class RandomFaults {
  readonly #run: FaultRun
  readonly #random: () => number
  readonly #workers: WorkerProcess[] = []
  readonly #held: Promise<void>[] = []
  readonly #faults: Fault[] = []

  constructor(run: FaultRun) {
    this.#run = run
    this.#random = numbersFrom(run.seed)
  }

  /** Resolves when all was done and everything that was sent is committed; workers have stopped. */
  async run(): Promise<void> {
    const { forMs, scene, workers } = this.#run
    await scene.send(100)
    for (let place = 0; place < workers; place++) this.#begin(place)
    let isOver = false
    const load = underLoad(scene, () => isOver)
    const until = performance.now() + forMs
    while (performance.now() < until) {
      await sleep(this.#random() * 700)
      await this.#step()
    }
    isOver = true
    await load
    for (const fault of this.#faults) fault.end()
    await Promise.all(this.#held)
    this.#run.broker.proxy.thaw()
    await this.#replaceEnded()
    const beganMs = performance.now()
    await scene.settled()
    this.#run.say(`settled after ${Math.round(performance.now() - beganMs)} ms`)
    for (const worker of this.#workers) await worker.started()
    for (const worker of this.#workers) await worker.stop()
  }

  get places(): readonly string[] {
    return this.#workers.map((_, place) => `data-${place}`)
  }

  // No fault is long enough to end a worker; one that finds no broker may give up its start.
  async #replaceEnded(): Promise<void> {
    for (const [place, worker] of this.#workers.entries()) {
      if (!worker.hasEnded) continue
      this.#run.say(`worker ${place} ended:\n${worker.text}`)
      assert.doesNotMatch(worker.text, /^web +/m, `a worker that had started has ended`)
      await worker.ends({ code: 1 })
      this.#begin(place)
    }
  }

  async #step(): Promise<void> {
    const { broker, say } = this.#run
    await this.#replaceEnded()
    const chance = this.#random()
    if (chance < 0.7) {
      this.#fault()
    } else if (chance < 0.8) {
      say('cut')
      broker.proxy.cut()
    } else if (chance < 0.86) {
      await this.#freeze()
    } else if (chance < 0.88) {
      const node = this.#pick(broker.cluster.nodes)
      say(`kill broker ${node.id}`)
      await node.kill()
      await node.start()
    } else {
      await this.#harmWorker(chance < 0.94 ? 'kill' : chance < 0.97 ? 'stop' : 'sleep')
    }
  }

  #fault(): void {
    const { broker, say } = this.#run
    const api = this.#pick(apis)
    const kind = this.#pick(kinds)
    const skip = Math.floor(this.#random() * 3)
    const ms = this.#pick(heldMs)
    say(`${kind} ${api} skip ${skip} ${ms} ms`)
    const fault = broker.proxy.next(api, kind, { skip })
    this.#faults.push(fault)
    this.#held.push(
      (async () => {
        await Promise.race([fault.happened, fault.released])
        await sleep(ms)
        fault.release()
      })()
    )
  }

  async #freeze(): Promise<void> {
    const { broker, say } = this.#run
    const ms = this.#pick(heldMs)
    say(`freeze ${ms} ms`)
    broker.proxy.freeze()
    await sleep(ms)
    broker.proxy.thaw()
  }

  async #harmWorker(how: 'kill' | 'stop' | 'sleep'): Promise<void> {
    const { say, workers } = this.#run
    const place = Math.floor(this.#random() * workers)
    const worker = this.#workers[place]
    if (worker === undefined || worker.hasEnded) return
    say(`${how} worker ${place}`)
    if (how === 'sleep') {
      worker.signal('SIGSTOP')
      await sleep(this.#pick(heldMs))
      worker.signal('SIGCONT')
      return
    }
    if (how === 'kill') await worker.kill()
    else {
      await worker.titled()
      worker.signal('SIGTERM')
      await worker.ended
    }
    this.#begin(place)
  }

  #begin(place: number): void {
    // Half of them give a commit up before what is held is let go.
    const env = { TAILRACE_COMMIT_TIMEOUT: this.#random() < 0.5 ? '1s' : '30s' }
    this.#workers[place] = this.#run.scene.worker({ data: `data-${place}`, env })
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T
  }
}

/** Numbers from 0 to 1 that a seed repeats (a 32-bit linear congruence, its high bits mixed in). */
function numbersFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return ((state ^ (state >>> 15)) >>> 0) / 0x1_0000_0000
  }
}
