// Watches the worker's loop from its keeper thread: a loop that is blocked beyond the limit is
// named in the log with the stack it hangs in, and its process ends.
import { Session } from 'node:inspector'
import { writeSync } from 'node:fs'
import type { Cancel, Clock } from '../port/clock.ts'
import type { Pulse } from './pulse.ts'

export interface StallSettings {
  readonly clock: Clock
  readonly stallTimeoutMs: number
}

/** Time the debugger has to stop the loop and answer; then the process ends without a stack. */
const stackTimeoutMs = 2_000

/** Begins to watch; the returned function ends it. */
export function watchLoop(pulse: Pulse, settings: StallSettings): Cancel {
  const { clock, stallTimeoutMs } = settings
  const everyMs = Math.max(50, Math.min(1_000, stallTimeoutMs / 10))
  let cancel: Cancel = () => undefined
  const look = (): void => {
    const reading = pulse.read()
    const silentMs = clock.monotonic() - reading.tickMs
    if (reading.isCounting && reading.tickMs > 0 && silentMs > stallTimeoutMs) {
      void endBlocked(pulse, silentMs)
      return
    }
    cancel = clock.schedule(everyMs, look)
  }
  cancel = clock.schedule(everyMs, look)
  return () => cancel()
}

// A thread cannot set the exit code of its process, so it ends it by signal 9.
async function endBlocked(pulse: Pulse, silentMs: number): Promise<void> {
  const { event } = pulse.read()
  const where =
    event === undefined
      ? 'no event was open'
      : `while working on "${event.topic}" partition ${event.partition} offset ${event.offset}`
  const stack = await blockedStack()
  const line = {
    level: 'fatal',
    code: 'TAILRACE_AGENT_STALLED',
    msg: `the loop of this worker was blocked for ${Math.round(silentMs)} ms, ${where}; ending it`,
    stack
  }
  // The streams of the process belong to the blocked loop; the descriptor does not.
  writeSync(2, `${JSON.stringify(line)}\n`)
  process.kill(process.pid, 'SIGKILL')
}

/** The stack of the main thread, got by pausing it. */
async function blockedStack(): Promise<readonly string[]> {
  const session = new Session()
  const urls = new Map<string, string>()
  try {
    session.connectToMainThread()
    // Frames of a paused thread carry no file; the scripts told when the debugger starts do.
    session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url))
    return await new Promise((resolve) => {
      const timer = setTimeout(() => resolve([]), stackTimeoutMs)
      session.on('Debugger.paused', ({ params }) => {
        clearTimeout(timer)
        resolve(params.callFrames.map((frame) => frameText(frame, urls)))
      })
      session.post('Debugger.enable', () => session.post('Debugger.pause'))
    })
  } catch {
    // Without an inspector the process still ends, and the event is still named.
    return []
  }
}

interface Frame {
  readonly functionName: string
  readonly location: {
    readonly scriptId: string
    readonly lineNumber: number
    readonly columnNumber?: number | undefined
  }
}

function frameText(frame: Frame, urls: ReadonlyMap<string, string>): string {
  const { columnNumber, lineNumber, scriptId } = frame.location
  const name = frame.functionName === '' ? '(anonymous)' : frame.functionName
  return `${name} (${urls.get(scriptId) ?? ''}:${lineNumber + 1}:${(columnNumber ?? 0) + 1})`
}
