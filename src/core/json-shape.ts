// Reads JSON objects that look like one that was parsed before: the same names in the same order
// and spelling, each with text, a number, true, false or null. A topic holds little else, and half
// of what an event costs is `JSON.parse` finding that out again. What looks otherwise in any byte
// is not read here.
import { latin1Of, type RecordTexts, utf8Of } from './text-slice.ts'

const quote = 0x22
const backslash = 0x5c
const minus = 0x2d
const zero = 0x30
const firstPrintable = 0x20
const asciiMax = 0x7f
/** Longer runs of digits are beyond what adds up exactly. */
const digitsMax = 15
const namesMax = 64

const numberForm = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
/** Bytes to compare: four at a time as far as they go. */
interface Run {
  readonly bytes: Uint8Array
  readonly words: readonly number[]
}

const wordBytes = 4
const literals: readonly { readonly value: unknown; readonly run: Run }[] = [
  { value: true, run: runOf('true') },
  { value: false, run: runOf('false') },
  { value: null, run: runOf('null') }
]

export class JsonShape {
  /** What stands before each value, and behind the last. */
  readonly #runs: readonly Run[]
  readonly #make: (values: readonly unknown[]) => object
  readonly #values: unknown[] = []
  /** Of the bytes that were read last. */
  #view: DataView = new DataView(new ArrayBuffer(0))
  #viewed: Buffer | undefined

  private constructor(runs: readonly Run[], make: (values: readonly unknown[]) => object) {
    this.#runs = runs
    this.#make = make
  }

  /** The shape of a JSON text that was read as `value`; undefined where it is none of ours. */
  static of(text: string, value: unknown): JsonShape | undefined {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    const names = Object.keys(value)
    if (names.length === 0 || names.length > namesMax) return undefined
    const make = makerOf(names)
    const runs = make === undefined ? undefined : runsOf(text, names)
    return make && runs && new JsonShape(runs, make)
  }

  /** What `JSON.parse` would answer; undefined where only that can tell. */
  read(bytes: Buffer, start: number, end: number, texts: RecordTexts): object | undefined {
    const runs = this.#runs
    const last = runs.length - 1
    const view = this.#viewOf(bytes)
    let at = start
    for (let index = 0; index < last; index++) {
      at = behind(view, at, runs[index] as Run)
      if (at < 0 || at >= end) return undefined
      at = bytes[at] === quote ? this.#string(bytes, at, end, texts) : this.#other(bytes, at, end)
      if (at < 0) return undefined
      this.#values[index] = this.#value
    }
    at = behind(view, at, runs[last] as Run)
    return at === end ? this.#make(this.#values) : undefined
  }

  #viewOf(bytes: Buffer): DataView {
    if (bytes === this.#viewed) return this.#view
    this.#viewed = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return this.#view
  }

  /** The value that was read last. */
  #value: unknown

  // Answers where it ends; -1 where it holds what must be looked at more closely.
  #string(bytes: Buffer, at: number, end: number, texts: RecordTexts): number {
    const from = at + 1
    let isAscii = true
    let to = from
    for (; ; to++) {
      if (to >= end) return -1
      const byte = bytes[to] as number
      if (byte === quote) break
      if (byte === backslash || byte < firstPrintable) return -1
      if (byte > asciiMax) isAscii = false
    }
    this.#value = isAscii ? texts.ascii(from, to) : utf8Of(bytes, from, to)
    return to + 1
  }

  #other(bytes: Buffer, at: number, end: number): number {
    const first = bytes[at] as number
    if (first !== minus && (first < zero || first > zero + 9)) return this.#literal(at)
    const digitsAt = first === minus ? at + 1 : at
    let number = 0
    let to = digitsAt
    for (; to < end; to++) {
      const digit = (bytes[to] as number) - zero
      if (digit < 0 || digit > 9) break
      number = number * 10 + digit
    }
    const digits = to - digitsAt
    const isPlain = digits <= digitsMax && (bytes[digitsAt] === zero ? digits === 1 : digits > 0)
    // A fraction or an exponent goes on behind the digits; and there is a zero with a sign.
    if (!isPlain || isNumberByte(bytes[to]) || (number === 0 && first === minus)) {
      return this.#number(bytes, at, end)
    }
    this.#value = first === minus ? -number : number
    return to
  }

  #number(bytes: Buffer, at: number, end: number): number {
    let to = at
    while (to < end && isNumberByte(bytes[to])) to++
    const text = latin1Of(bytes, at, to)
    if (!numberForm.test(text)) return -1
    this.#value = Number(text)
    return to
  }

  #literal(at: number): number {
    for (const literal of literals) {
      const to = behind(this.#view, at, literal.run)
      if (to < 0) continue
      this.#value = literal.value
      return to
    }
    return -1
  }
}

/** Where `run` ends, if it stands there; else -1. */
function behind(view: DataView, at: number, { bytes, words }: Run): number {
  const end = at + bytes.length
  if (end > view.byteLength) return -1
  for (let index = 0; index < words.length; index++) {
    if (view.getInt32(at + index * wordBytes) !== words[index]) return -1
  }
  for (let index = words.length * wordBytes; index < bytes.length; index++) {
    if (view.getUint8(at + index) !== bytes[index]) return -1
  }
  return end
}

function isNumberByte(byte: number | undefined): boolean {
  if (byte === undefined) return false
  return (byte >= zero && byte <= zero + 9) || numberSigns.includes(byte)
}

const numberSigns: readonly number[] = [...Buffer.from('+-.eE')]

// An object made by a literal is made in one step; name by name it takes four times as long.
function makerOf(names: readonly string[]): ((values: readonly unknown[]) => object) | undefined {
  if (names.some((name) => name === '__proto__' || name === 'constructor')) return undefined
  const fields = names.map((name, index) => `${JSON.stringify(name)}: values[${index}]`)
  try {
    // Nothing of it is from outside but the names, and those are quoted.
    // oxlint-disable-next-line typescript/no-implied-eval
    return new Function('values', `return { ${fields.join(', ')} }`) as never
  } catch {
    // This process forbids code made of text (--disallow-code-generation-from-strings).
    return undefined
  }
}

function runOf(text: string): Run {
  const bytes = Buffer.from(text)
  const count = Math.floor(bytes.length / wordBytes)
  const words = Array.from({ length: count }, (_, index) => bytes.readInt32BE(index * wordBytes))
  return { bytes, words }
}

// The bytes between the values of a text, which may have blanks anywhere.
function runsOf(text: string, names: readonly string[]): readonly Run[] | undefined {
  const runs: Run[] = []
  let at = 0
  for (const [index, name] of names.entries()) {
    const from = at
    at = afterMark(text, at, index === 0 ? '{' : ',')
    at = afterMark(text, at, JSON.stringify(name))
    at = afterBlanks(text, afterMark(text, at, ':'))
    if (at < 0) return undefined
    runs.push(runOf(text.slice(from, at)))
    at = afterValue(text, at)
  }
  const end = afterMark(text, at, '}')
  if (end < 0 || afterBlanks(text, end) !== text.length) return undefined
  runs.push(runOf(text.slice(at)))
  return runs
}

function afterMark(text: string, at: number, mark: string): number {
  const from = afterBlanks(text, at)
  return from >= 0 && text.startsWith(mark, from) ? from + mark.length : -1
}

function afterBlanks(text: string, at: number): number {
  let to = at
  while (to >= 0 && to < text.length && ' \t\r\n'.includes(text.charAt(to))) to++
  return to
}

const scalarForm = /"[^"\\]*"|[-+.\w]+/y

function afterValue(text: string, at: number): number {
  scalarForm.lastIndex = at
  return scalarForm.test(text) ? scalarForm.lastIndex : -1
}
