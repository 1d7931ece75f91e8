// A thread with nothing to do: how long its loop was held is the machine's doing, not the worker's.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'

/** What the other loop of the process is compared with. */
export class IdleLoop {
  readonly #thread: Worker = new Worker(new URL(import.meta.url))

  constructor() {
    this.#thread.unref()
  }

  watch(): void {
    this.#thread.postMessage('watch')
  }

  /** The longest hold since `watch`, in ms. */
  holdMsMax(): Promise<number> {
    return new Promise((resolve) => {
      this.#thread.once('message', resolve)
      this.#thread.postMessage('hold')
    })
  }
}

/** The monitor looks once a millisecond, and what it notes is the time between two looks. */
export function heldMs(nanoseconds: number): number {
  return nanoseconds / 1e6 - 1
}

if (!isMainThread && parentPort !== null) {
  const port = parentPort
  const delay = monitorEventLoopDelay({ resolution: 1 })
  port.on('message', (question: 'watch' | 'hold') => {
    if (question === 'watch') delay.enable()
    else port.postMessage(heldMs(delay.max))
  })
}
