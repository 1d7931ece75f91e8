// Windows by event time: which panes an event falls into, and when one is closed or expired.
import { type Duration, parseDuration } from './duration.ts'
import { TailraceError } from './errors.ts'
import { checkOptions, type Shape } from './option-check.ts'

declare const panesOf: unique symbol

/** A kind of window; made by `tumbling` or `hopping`. All times in milliseconds. */
export interface Window<Panes extends 'one' | 'many' = 'one' | 'many'> {
  readonly [panesOf]?: Panes
  readonly kind: 'tumbling' | 'hopping'
  readonly sizeMs: number
  /** Time from the start of one window to that of the next; the size of tumbling ones. */
  readonly everyMs: number
  readonly graceMs: number
  readonly retentionMs: number
}

/** How long windows take events, and how long they are kept. */
export interface WindowOptions {
  /**
   * How long after its end a window still accepts late events, in stream time.
   *
   * @default 0
   * @see KIP-328; Kafka Streams `TimeWindows.ofSizeAndGrace`
   */
  readonly grace?: Duration
  /**
   * How long a window is kept after its start, in stream time; at least size and grace.
   *
   * @default 1 day, or size and grace where that is longer
   */
  readonly retention?: Duration
}

/**
 * Windows of one size side by side: an event falls into exactly one. They begin at whole multiples
 * of their size since 1970 (UTC); a start is inside its window, an end is not.
 *
 * @throws TAILRACE_CONFIG_DURATION
 * @see Kafka Streams `TimeWindows`
 * @example
 * const perHour = tumbling('1h', { grace: '10m', retention: '7d' })
 */
export function tumbling(size: Duration, options: WindowOptions = {}): Window<'one'> {
  checkOptions('tumbling window', options, { grace: span, retention: span })
  return windowOf('tumbling', { size, every: size, ...options })
}

/**
 * Windows of one size that begin `every` so often: an event falls into several, 10,000 at most.
 * `every` is at most the size.
 *
 * @throws TAILRACE_CONFIG_DURATION
 * @see Kafka Streams `TimeWindows.advanceBy`
 * @example
 * const lastHour = hopping('1h', { every: '5m' })
 */
export function hopping(
  size: Duration,
  options: WindowOptions & { readonly every: Duration }
): Window<'many'> {
  checkOptions('hopping window', options, { every: span, grace: span, retention: span })
  return windowOf('hopping', { size, ...options })
}

/** Whether it is a duration is said where it is read. */
const span: Shape = { expected: 'a duration', fits: () => true }

interface WindowParts extends WindowOptions {
  readonly size: Duration
  readonly every: Duration
}

/** Windows of one event: each is a row that it writes. */
export const panesMax = 10_000

function windowOf(kind: 'tumbling' | 'hopping', parts: WindowParts): Window<never> {
  const sizeMs = positive(parts.size, `${kind} window size`)
  const everyMs = positive(parts.every, `${kind} window "every"`)
  const graceMs = spanOf(parts.grace ?? 0, `${kind} window "grace"`)
  const least = sizeMs + graceMs
  const retentionMs =
    parts.retention === undefined
      ? Math.max(86_400_000, least)
      : spanOf(parts.retention, `${kind} window "retention"`)
  if (everyMs > sizeMs) {
    refuse(`${kind} window "every" (${everyMs} ms) is longer than its size (${sizeMs} ms)`)
  }
  const panes = Math.ceil(sizeMs / everyMs)
  if (panes > panesMax) {
    refuse(
      `${kind} window "every" (${everyMs} ms) puts each event into ${panes} windows of ` +
        `${sizeMs} ms, at most ${panesMax}`
    )
  }
  if (retentionMs < least) {
    refuse(
      `${kind} window "retention" (${retentionMs} ms) is shorter than size and grace (${least} ms)`
    )
  }
  return Object.freeze({ kind, sizeMs, everyMs, graceMs, retentionMs })
}

function spanOf(value: Duration, where: string): number {
  const ms = parseDuration(value)
  if (ms === undefined) return refuse(`${where} is ${JSON.stringify(value)}, not a duration`)
  return ms
}

function positive(value: Duration, where: string): number {
  const ms = spanOf(value, where)
  if (ms < 1 || !Number.isInteger(ms))
    return refuse(`${where} must be a whole number of ms above 0`)
  return ms
}

function refuse(message: string): never {
  throw new TailraceError('TAILRACE_CONFIG_DURATION', message)
}

/** Start of the latest window that holds `timestamp`. Right for negative times too. */
export function latestStart(window: Window, timestamp: number): number {
  return Math.floor(timestamp / window.everyMs) * window.everyMs
}

/** Starts of all windows that hold `timestamp`, earliest first. */
export function startsAt(window: Window, timestamp: number): readonly number[] {
  const last = latestStart(window, timestamp)
  if (window.everyMs === window.sizeMs) return [last]
  const starts: number[] = []
  const count = Math.ceil(window.sizeMs / window.everyMs)
  for (let index = count - 1; index >= 0; index--) {
    const start = last - index * window.everyMs
    if (start + window.sizeMs > timestamp) starts.push(start)
  }
  return starts
}

/** A closed window takes no more events. */
export function isClosed(window: Window, start: number, streamTime: number): boolean {
  return start + window.sizeMs + window.graceMs <= streamTime
}

/** Windows that start before this are expired: reads hide them, and their rows are deleted. */
export function expiredBefore(window: Window, streamTime: number): number {
  return streamTime - window.retentionMs
}
