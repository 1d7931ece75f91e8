// Time as the machine has it: the `Clock` of every worker outside a simulation.
import type { Cancel, Clock } from '../port/clock.ts'

// Node fires a timer that is longer than a signed 32-bit number at once.
const timerMsMax = 2_147_483_647

export const realClock: Clock = {
  now: () => Date.now(),
  // The same for every thread of the process; `performance.now` begins anew in each.
  monotonic,
  schedule,
  turn: () => new Promise((resolve) => setImmediate(resolve))
}

function monotonic(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000 + nanoseconds / 1_000_000
}

function schedule(delayMs: number, run: () => void): Cancel {
  const due = performance.now() + delayMs
  let timer = setTimeout(fire, Math.min(Math.max(0, delayMs), timerMsMax))
  // Node rounds a delay down to whole milliseconds, and may fire a fraction of one too early.
  function fire(): void {
    const leftMs = due - performance.now()
    if (leftMs <= 0) run()
    else timer = setTimeout(fire, Math.min(Math.ceil(leftMs), timerMsMax))
  }
  return () => clearTimeout(timer)
}
