// Durations as users write them (`'10s'`), and the milliseconds that everything inside holds.
import { TailraceError } from './errors.ts'

/**
 * A span of time: milliseconds, or a number with a unit, as `'250ms'`, `'10s'`, `'1m'`, `'2h'`,
 * `'7d'`. From 0 to 100 years; anything else is refused with TAILRACE_CONFIG_DURATION.
 */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000
}

/** The longest duration accepted: 100 years. Longer ones are a unit mistaken for another. */
export const durationMsMax: number = 100 * 365 * 86_400_000

/** Milliseconds of a duration, or `undefined` when it is not one. */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return isAcceptable(value) ? value : undefined
  if (typeof value !== 'string') return undefined
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value)
  if (match === null) return undefined
  const ms = Number(match[1]) * (unitMs[match[2] ?? ''] ?? Number.NaN)
  return isAcceptable(ms) ? ms : undefined
}

/**
 * Milliseconds of a duration.
 *
 * @throws TAILRACE_CONFIG_DURATION when negative, not finite, or of an unknown unit
 */
export function durationMs(value: Duration, where: string): number {
  const ms = parseDuration(value)
  if (ms !== undefined) return ms
  throw new TailraceError(
    'TAILRACE_CONFIG_DURATION',
    `${where} is ${JSON.stringify(value)}; expected milliseconds or a text such as '10s' or '5m'`
  )
}

/** A duration as a person reads it: `1m 30s`, `250ms`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`
  if (ms < 60_000) return `${Number((ms / 1_000).toFixed(ms < 10_000 ? 1 : 0))}s`
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 60) return joined(`${minutes}m`, Math.round((ms % 60_000) / 1_000), 's')
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return joined(`${hours}h`, minutes % 60, 'm')
  return joined(`${Math.floor(hours / 24)}d`, hours % 24, 'h')
}

function joined(large: string, small: number, unit: string): string {
  return small === 0 ? large : `${large} ${small}${unit}`
}

function isAcceptable(ms: number): boolean {
  return Number.isFinite(ms) && ms >= 0 && ms <= durationMsMax
}
