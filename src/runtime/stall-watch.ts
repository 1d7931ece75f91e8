// Watches the worker's loop from its keeper thread: a loop that is blocked beyond the limit is
// named in the log with the stack it hangs in, and its process ends.
import { writeSync } from 'node:fs'
import { Session } from 'node:inspector'
import type { Cancel, Clock } from '../port/clock.ts'
import type { Pulse, WatchedEvent } from './pulse.ts'

const lookMs = 100
/** Time the debugger has to stop the loop and answer; then the process ends without a stack. */
const stackTimeoutMs = 2_000
const framesMax = 50
const eventsMax = 8

/** Begins to watch; the returned function ends it. */
export function watchLoop(
  pulse: Pulse,
  clock: Clock,
  onBlocked: (silentMs: number) => void
): Cancel {
  let cancel: Cancel = () => undefined
  let lookedMs = clock.monotonic()
  let seenMs = 0
  let silentMs = 0
  const look = (): void => {
    const now = clock.monotonic()
    const { limitMs, tickMs } = pulse.read()
    // What was stopped as a whole (SIGSTOP, a frozen container) was not blocked meanwhile.
    const passedMs = Math.min(now - lookedMs, 2 * lookMs)
    lookedMs = now
    silentMs = tickMs === seenMs && limitMs > 0 ? silentMs + passedMs : 0
    seenMs = tickMs
    if (limitMs > 0 && silentMs > limitMs) onBlocked(silentMs)
    else cancel = clock.schedule(lookMs, look)
  }
  cancel = clock.schedule(lookMs, look)
  return () => cancel()
}

/** Says what the loop hangs in; then signal 9, because a thread cannot set an exit code. */
export async function endBlocked(pulse: Pulse, silentMs: number): Promise<void> {
  try {
    const events = pulse.openEvents()
    const stack = await blockedStack({ isTheEnd: true })
    const line = {
      level: 60,
      time: Date.now(),
      pid: process.pid,
      code: 'TAILRACE_AGENT_STALLED',
      msg: sentence(silentMs, events, stack.length > 0),
      events: events.slice(0, eventsMax),
      stack
    }
    writeAll(`${JSON.stringify(line)}\n`)
  } finally {
    process.kill(process.pid, 'SIGKILL')
  }
}

function sentence(silentMs: number, events: readonly WatchedEvent[], hasStack: boolean): string {
  const named = events.slice(0, eventsMax).map(({ agent, offset, partition, topic }) => {
    return `agent "${agent}" worked on "${topic}" partition ${partition} offset ${offset}`
  })
  const more = events.length > eventsMax ? ` and ${events.length - eventsMax} more` : ''
  const where = named.length === 0 ? 'no event was open' : `while ${named.join(', ')}${more}`
  const stack = hasStack ? '' : '; it hangs outside JavaScript, so there is no stack'
  return `the loop of this worker was blocked for ${Math.round(silentMs)} ms, ${where}${stack}`
}

// The streams of the process belong to the blocked loop; the descriptor does not. A full pipe
// refuses, and must not keep the process.
function writeAll(text: string): void {
  let left = Buffer.from(text)
  for (let tries = 0; left.length > 0 && tries < 100; tries++) {
    try {
      left = left.subarray(writeSync(2, left))
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
  }
}

/** The stack of the main thread, got by pausing it; it then goes on, unless it is to end here. */
export async function blockedStack({
  isTheEnd = false
}: {
  readonly isTheEnd?: boolean
} = {}): Promise<readonly string[]> {
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
        resolve(params.callFrames.slice(0, framesMax).map((frame) => frameText(frame, urls)))
      })
      session.post('Debugger.enable', () => session.post('Debugger.pause'))
    })
  } catch {
    // Without an inspector the process still ends, and the event is still named.
    return []
  } finally {
    if (!isTheEnd) session.disconnect()
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
