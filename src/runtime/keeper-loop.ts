// Keeps a member in its group: heartbeats, and what they answer. Runs in the keeper thread, or in
// the worker's own loop where the log lives in this process.
import { type Clock, pause } from '../port/clock.ts'
import type { BeatAnswer, Coordinator, JoinRequest } from '../port/transport.ts'

export interface KeeperLoopParts {
  readonly coordinator: Coordinator
  readonly clock: Clock
  readonly request: JoinRequest
  /** Called when an answer differs from the one before. */
  readonly onAnswer: (answer: BeatAnswer) => void
  /** A beat failed; it is tried again at the next interval. */
  readonly onError: (error: unknown) => void
}

/** Between two tries of what failed; never longer than a heartbeat. */
const retryMs = 100

interface Release {
  readonly tasks: readonly string[]
  readonly done: () => void
}

export class KeeperLoop {
  readonly #parts: KeeperLoopParts
  #releases: Release[] = []
  #isStopped = false
  #wake: () => void = () => undefined
  #last = ''
  #running: Promise<void> = Promise.resolve()

  constructor(parts: KeeperLoopParts) {
    this.#parts = parts
  }

  /** Joins the group; then beats until `leave`. */
  async start(): Promise<void> {
    await this.#parts.coordinator.join(this.#parts.request)
    this.#running = this.#run()
  }

  /** Gives tasks up before the next beat. */
  release(tasks: readonly string[]): Promise<void> {
    if (this.#isStopped) return Promise.resolve()
    return new Promise((resolve) => {
      this.#releases.push({ tasks, done: resolve })
      this.#wake()
    })
  }

  async leave(): Promise<void> {
    this.#isStopped = true
    this.#wake()
    await this.#running
    await this.#parts.coordinator.leave()
    await this.#parts.coordinator.close()
  }

  async #run(): Promise<void> {
    const { coordinator, onError } = this.#parts
    while (!this.#isStopped) {
      try {
        await this.#releaseAll()
        this.#publish(await coordinator.beat())
      } catch (error) {
        onError(error)
        // A log that refuses at once must not be asked without end.
        await this.#rest()
        continue
      }
      if (this.#isStopped || this.#releases.length > 0) continue
      await this.#wait()
    }
    for (const { done } of this.#releases.splice(0)) done()
  }

  async #releaseAll(): Promise<void> {
    while (this.#releases.length > 0) {
      const release = this.#releases[0] as Release
      await this.#parts.coordinator.release(release.tasks)
      this.#releases.shift()
      release.done()
      // What was said about these tasks is over: the next answer must be told in any case.
      this.#last = ''
    }
  }

  #rest(): Promise<void> {
    if (this.#isStopped) return Promise.resolve()
    const { clock, request } = this.#parts
    const woken = new AbortController()
    this.#wake = () => {
      if (this.#isStopped) woken.abort()
    }
    return pause(clock, Math.min(request.heartbeatMs, retryMs), woken.signal)
  }

  // `changed` answers within one heartbeat whatever happens, so no wait is left behind. A log that
  // cannot be asked is no reason to stop beating.
  #wait(): Promise<void> {
    const { clock, coordinator, onError, request } = this.#parts
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    const changed = coordinator.changed(request.heartbeatMs).catch((error: unknown) => {
      onError(error)
      return pause(clock, request.heartbeatMs)
    })
    return Promise.race([changed, woken])
  }

  #publish(answer: BeatAnswer): void {
    const text = JSON.stringify(answer)
    if (text === this.#last) return
    this.#last = text
    this.#parts.onAnswer(answer)
  }
}
