// Signals of an embedded worker: the first TERM or INT stops it, then does what it always does.
import { SignalEcho } from './signal-echo.ts'
import type { Worker } from './worker.ts'

const stopping = ['SIGTERM', 'SIGINT'] as const

/** After the worker has stopped, or at a second one, the signal is raised for whoever listens. */
export function stopAtSignals(worker: Worker): void {
  const echo = new SignalEcho()
  let isStopping = false
  const release = (): void => {
    for (const signal of stopping) process.off(signal, onSignal)
  }
  const raise = (signal: NodeJS.Signals): void => {
    release()
    process.kill(process.pid, signal)
  }
  const onSignal = (signal: NodeJS.Signals): void => {
    if (echo.isEcho(signal, performance.now())) return
    if (isStopping) return raise(signal)
    isStopping = true
    void worker
      .stop({ reason: signal })
      .catch(() => undefined)
      .then(() => raise(signal))
  }
  for (const signal of stopping) process.on(signal, onSignal)
  void worker.ended.then(release)
}
