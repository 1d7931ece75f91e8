// Ends a node whose supervisor is gone before it has a keeper: its app may block while it is
// imported or started, and then only another thread can see that.
import { Worker } from 'node:worker_threads'

const lookMs = 250
/** A loop that lives has ended the process by then: it is told that the supervisor is gone. */
const looksOrphaned = 6

// Looks are counted, and not time: a process that slept as a whole has had none.
const program = `
  const { workerData } = require('node:worker_threads')
  let looks = 0
  setInterval(() => {
    looks = process.ppid === workerData ? 0 : looks + 1
    if (looks > ${looksOrphaned}) process.kill(process.pid, 'SIGKILL')
  }, ${lookMs})
`

export class OrphanWatch {
  readonly #thread: Worker

  constructor(supervisorPid: number) {
    this.#thread = new Worker(program, {
      eval: true,
      workerData: supervisorPid,
      // It is ours alone: what is loaded into each thread of the app is not for it.
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1 }
    })
    // Where it cannot run, the keeper still comes.
    this.#thread.on('error', () => undefined)
    this.#thread.unref()
  }

  /** The keeper looks from now on. */
  end(): void {
    void this.#thread.terminate()
  }
}
