// How one value of an option is read and judged, by the kind of option it is.
import { formatDuration, parseDuration } from '../core/duration.ts'

export const kibibyte = 1_024
export const gibibyte = 1_073_741_824

/** What an option takes. */
export type OptionKind =
  | { readonly type: 'duration'; readonly min: number; readonly max: number }
  | { readonly type: 'bytes'; readonly min: number; readonly max: number }
  /** `also` is a word, or a number beyond the limits, that means something else. */
  | {
      readonly type: 'count'
      readonly min: number
      readonly max: number
      readonly also?: number | string
    }
  | { readonly type: 'choice'; readonly of: readonly string[] }
  | { readonly type: 'text' }
  | { readonly type: 'switch' }
  /** Texts; with commas between them where they come as one. */
  | { readonly type: 'names' }
  /** A thing of the program: it can only be given in code. */
  | { readonly type: 'code'; readonly expected: string; readonly fits: (value: unknown) => boolean }

export type Reading =
  | { readonly value: unknown; readonly expected?: never }
  | { readonly expected: string }

/** Reads one value; durations come out in ms, sizes in bytes. `isText`: numbers may be text. */
export function readOption(kind: OptionKind, given: unknown, isText: boolean): Reading {
  switch (kind.type) {
    case 'code':
      return kind.fits(given) ? { value: given } : { expected: kind.expected }
    case 'choice':
      return kind.of.includes(String(given))
        ? { value: given }
        : { expected: kind.of.map((one) => `'${one}'`).join(' or ') }
    case 'text':
      return typeof given === 'string' && given !== ''
        ? { value: given }
        : { expected: 'a text that is not empty' }
    case 'switch':
      return readSwitch(given, isText)
    case 'duration':
      return withinLimits(kind, durationOf(given, isText), formatDuration, 'a duration')
    case 'bytes':
      return withinLimits(kind, bytesOf(given), formatBytes, 'a size')
    case 'count':
      return readCount(kind, isWord(given, kind.also) ? given : countOf(given, isText))
    case 'names':
      return readNames(given)
  }
}

function readCount(
  kind: Extract<OptionKind, { readonly type: 'count' }>,
  value: number | string | undefined
): Reading {
  if (value !== undefined && value === kind.also) return { value }
  if (typeof value === 'string') return readCount(kind, undefined)
  if (kind.also === undefined) return withinLimits(kind, value, String, 'a whole number')
  return withinLimits(kind, value, String, `${kind.also}, or a whole number`)
}

function isWord(given: unknown, word: unknown): given is string {
  return typeof given === 'string' && given === word
}

function readNames(given: unknown): Reading {
  const names: unknown =
    typeof given === 'string' ? given.split(',').map((one) => one.trim()) : given
  const isList = Array.isArray(names) && names.length > 0
  const isRight = isList && names.every((one) => typeof one === 'string' && one !== '')
  return isRight ? { value: names } : { expected: 'names, with commas between them' }
}

function readSwitch(given: unknown, isText: boolean): Reading {
  if (typeof given === 'boolean') return { value: given }
  if (isText && (given === 'true' || given === 'false')) return { value: given === 'true' }
  return { expected: 'true or false' }
}

function withinLimits(
  limits: { readonly min: number; readonly max: number },
  value: number | undefined,
  format: (value: number) => string,
  what: string
): Reading {
  if (value !== undefined && value >= limits.min && value <= limits.max) return { value }
  return { expected: `${what} from ${format(limits.min)} to ${format(limits.max)}` }
}

function durationOf(given: unknown, isText: boolean): number | undefined {
  const isPlainNumber = isText && typeof given === 'string' && /^\d+(?:\.\d+)?$/.test(given)
  return parseDuration(isPlainNumber ? Number(given) : given)
}

function countOf(given: unknown, isText: boolean): number | undefined {
  const value = isText && typeof given === 'string' && /^-?\d+$/.test(given) ? Number(given) : given
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined
}

/** As others write them: read, and never written. */
const otherByteUnits: Readonly<Record<string, number>> = { kB: 1e3, MB: 1e6, GB: 1e9 }

const byteUnits: readonly (readonly [unit: string, bytes: number])[] = [
  ['GiB', gibibyte],
  ['MiB', 1_048_576],
  ['KiB', kibibyte]
]

function bytesOf(given: unknown): number | undefined {
  if (typeof given === 'number') return Number.isInteger(given) ? given : undefined
  if (typeof given !== 'string') return undefined
  const match = /^(\d+)(KiB|MiB|GiB|kB|MB|GB)?$/.exec(given)
  if (match === null) return undefined
  const unit = byteUnits.find(([name]) => name === match[2])
  return Number(match[1]) * (unit?.[1] ?? otherByteUnits[match[2] ?? ''] ?? 1)
}

/** A size as a person reads it: `64 MiB` is written `64MiB`, which is also how it is given. */
export function formatBytes(value: number): string {
  const unit = byteUnits.find(([, size]) => value >= size && value % size === 0)
  return unit === undefined ? String(value) : `${value / unit[1]}${unit[0]}`
}
