// Signals of an embedded worker: the first TERM or INT stops it, then does what it always does.
import type { Worker } from './worker.ts'

const stopping = ['SIGTERM', 'SIGINT'] as const

/** After the worker has stopped the signal is raised again, for whoever else listens. */
export function stopAtSignals(worker: Worker): void {
  const release = (): void => {
    for (const signal of stopping) process.off(signal, onSignal)
  }
  const onSignal = (signal: NodeJS.Signals): void => {
    release()
    void worker
      .stop({ reason: signal })
      .catch(() => undefined)
      .then(() => process.kill(process.pid, signal))
  }
  for (const signal of stopping) process.on(signal, onSignal)
  void worker.ended.then(release)
}
