// Tells a Ctrl-C said twice from a second one: npm hands on what the terminal sent to everybody.

/** Longer than npm takes, shorter than a finger. */
const echoMsMax = 250

export class SignalEcho {
  #interruptedAt: number | undefined

  /** Whether this signal only repeats the INT before it; `nowMs` is of a clock that never jumps. */
  isEcho(signal: NodeJS.Signals, nowMs: number): boolean {
    if (signal !== 'SIGINT') return false
    const before = this.#interruptedAt
    this.#interruptedAt ??= nowMs
    return before !== undefined && nowMs - before <= echoMsMax
  }
}
