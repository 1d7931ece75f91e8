// Codecs: bytes of a key or value to what its schema validates, and back. They compose by `pipe`.
import { parse as parseSafely } from 'secure-json-parse'
import { ByteWriter } from './byte-writer.ts'
import { TailraceError } from './errors.ts'
import { JsonReader } from './json-reader.ts'
import { writeSimpleJson } from './json-writer.ts'
import type { RecordTexts } from './text-slice.ts'

/**
 * Turns values into bytes and back. Both must be pure: the same value gives the same bytes.
 * `decode` may keep no reference to the bytes it was given: they are a view into a larger buffer.
 * What `encode` returns is copied, so it may write into the same buffer again.
 * What either throws becomes the cause of TAILRACE_SCHEMA_ENCODE or TAILRACE_SCHEMA_DECODE.
 * `codecConformance` of `tailrace/testing/conformance` tries one out.
 *
 * @example
 * import type { Codec } from 'tailrace'
 * const number: Codec<number> = {
 *   name: 'number',
 *   encode: (value) => Buffer.from(String(value)),
 *   decode: (bytes) => Number(Buffer.from(bytes).toString())
 * }
 */
export interface Codec<T = unknown> {
  /** Shown in messages and in the drawn topology. */
  readonly name: string
  /** The bytes of a value; null and undefined never come here. */
  encode(value: T): Uint8Array
  /** The value of bytes; a schema checks it afterwards. */
  decode(bytes: Uint8Array): T
}

const emptyBytes = new Uint8Array(0)

/**
 * JSON in UTF-8 (RFC 8259). `__proto__` and `constructor.prototype` keys are refused (CWE-1321) by
 * TAILRACE_SCHEMA_UNSAFE_KEY, and numbers that JSON would write as null by TAILRACE_SCHEMA_ENCODE.
 */
export const json: Codec = {
  name: 'json',
  encode(value) {
    return carved(writeSimpleJson, value) ?? Buffer.from(jsonText(value))
  },
  decode: (bytes) => parseJson(textOf(bytes))
}

// Small values are written one behind the other into memory that they share, as Node's own pool
// does it for what is there already.
const slabBytes = 16 * 1_024
/** Beyond this a value would take much of a slab that is then kept for it. */
const slabFill = 12 * 1_024
let slab = new ByteWriter(slabBytes)
let carvings = 0

/** The bytes of a value; undefined where `write` leaves it to others. */
function carved(
  write: (writer: ByteWriter, value: unknown) => boolean,
  value: unknown
): Uint8Array | undefined {
  if (slab.length > slabFill) slab = new ByteWriter(slabBytes)
  const writer = slab
  const start = writer.length
  const carving = ++carvings
  if (!write(writer, value)) return undefined
  // A getter of the value encoded something itself, in the midst of it.
  if (carving !== carvings) return undefined
  const bytes = writer.view(start, writer.length)
  // It made the slab grow around it, with room for more than it took.
  return bytes.length > slabFill ? Buffer.from(bytes) : bytes
}

function jsonText(value: unknown): string {
  const text = JSON.stringify(value)
  if (text === undefined) throw new TypeError(`${typeof value} is nothing that JSON can write`)
  // Reading would refuse it, or read something else: looked for only where its traces are.
  if (text.includes('null')) checkNulls(value)
  if (text.includes('__proto__') || text.includes('constructor')) parseCarefully(text)
  return text
}

// JSON writes `null` for numbers that are none, and for what an array does not hold.
function checkNulls(value: unknown): void {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new TypeError(`${value} is nothing that JSON can write`)
  }
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) {
    for (const item of Object.values(value)) checkNulls(item)
    return
  }
  for (const item of value as readonly unknown[]) {
    if (item === undefined) throw new TypeError('JSON cannot write undefined in an array')
    checkNulls(item)
  }
}

function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  // Names are looked at once parsed: that costs a sixth of a search in the text, and finds the
  // escaped ones too.
  return mayPoison(value, 0) ? parseCarefully(text) : value
}

/** Reads bytes that stand in a larger buffer; the texts are of the record that they belong to. */
export type ReadAt = (bytes: Buffer, start: number, end: number, texts: RecordTexts) => unknown

/** How a codec reads bytes that stand in a larger buffer, with what it learns from them. */
export function reader(codec: Codec): ReadAt {
  if (codec === json) {
    const values = new JsonReader(parseJson)
    return (bytes, start, end, texts) => values.read(bytes, start, end, texts)
  }
  if (codec === stringAsAny) return (_bytes, start, end, texts) => texts.utf8(start, end)
  // A codec of others may keep what it is given, and these bytes are written over.
  const isOurs = ours.has(codec)
  return (bytes, start, end) => {
    const view = bytes.subarray(start, end)
    return codec.decode(isOurs ? view : Buffer.from(view))
  }
}

/** True when what it returns is nobody else's: others may return what they were given. */
export function writesAfresh(codec: Codec): boolean {
  return ours.has(codec)
}

/** Writes a value as a codec does, into bytes that are being written. */
export type WriteInto = (writer: ByteWriter, value: unknown) => void

/** For codecs that can spare a buffer between; undefined for others. */
export function writerOf(codec: Codec): WriteInto | undefined {
  if (codec === json) return writeJson
  return codec === stringAsAny ? writeString : undefined
}

function writeJson(writer: ByteWriter, value: unknown): void {
  if (!writeSimpleJson(writer, value)) writer.text(jsonText(value))
}

function writeString(writer: ByteWriter, value: unknown): void {
  writer.text(checkedText(value))
}

// Beyond this depth the careful way decides, which does not recurse.
const depthLookedAtMax = 500

function mayPoison(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (depth > depthLookedAtMax) return true
  if (Array.isArray(value)) {
    for (const item of value) if (mayPoison(item, depth + 1)) return true
    return false
  }
  const object = value as Readonly<Record<string, unknown>>
  for (const name in object) {
    if (name === '__proto__' || name === 'constructor') return true
    const child = object[name]
    if (typeof child === 'object' && mayPoison(child, depth + 1)) return true
  }
  return false
}

function parseCarefully(text: string): unknown {
  try {
    return parseSafely(text, undefined, { protoAction: 'error', constructorAction: 'error' })
  } catch (error) {
    // JSON that is broken for another reason fails again here, with its own message.
    JSON.parse(text)
    throw new TailraceError(
      'TAILRACE_SCHEMA_UNSAFE_KEY',
      'a JSON object holds a "__proto__" or "constructor.prototype" key',
      { cause: error }
    )
  }
}

/** Text in UTF-8: the codec of keys, unless another is named. */
export const string: Codec<string> = {
  name: 'string',
  encode: (value) => carved(writeShort, value) ?? Buffer.from(checkedText(value)),
  decode: textOf
}

function checkedText(value: unknown): string {
  if (typeof value === 'string') return value
  throw new TypeError(`expected a string, got ${typeof value}`)
}

const shortMax = 256

function writeShort(writer: ByteWriter, value: unknown): boolean {
  if (typeof value !== 'string' || value.length > shortMax) return false
  writer.text(value)
  return true
}

// As a slot holds it.
const stringAsAny: Codec = string as Codec

/** Bytes as they are. Strings are taken as UTF-8 when they are written, and read as bytes. */
export const raw: Codec<Uint8Array> = {
  name: 'raw',
  encode(value: unknown) {
    // A copy: who sends it may fill the same buffer again long before it is in the log.
    if (value instanceof Uint8Array || typeof value === 'string') return Buffer.from(value)
    throw new TypeError(`expected bytes or a string, got ${typeof value}`)
  },
  decode: (bytes) => (bytes.length === 0 ? emptyBytes : Uint8Array.from(bytes))
}

/** Bytes as base64 text (RFC 4648 §4), for logs that must stay printable. */
export const binary: Codec<Uint8Array> = {
  name: 'binary',
  encode(value: unknown) {
    if (!(value instanceof Uint8Array)) throw new TypeError(`expected bytes, got ${typeof value}`)
    return Buffer.from(asBuffer(value).toString('base64'), 'latin1')
  },
  decode(bytes) {
    const text = textOf(bytes)
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new TypeError('not base64 text')
    return Uint8Array.from(Buffer.from(text, 'base64'))
  }
}

/**
 * One codec out of several: the first turns the value into bytes, each further one those bytes
 * into others; reading goes the other way round.
 *
 * @example
 * const printable = pipe(json, binary)
 */
export function pipe<T>(first: Codec<T>, ...rest: readonly Codec<Uint8Array>[]): Codec<T> {
  return {
    name: [first, ...rest].map((codec) => codec.name).join('|'),
    encode: (value) => rest.reduce((bytes, codec) => codec.encode(bytes), first.encode(value)),
    decode: (bytes) => first.decode(rest.reduceRight((inner, codec) => codec.decode(inner), bytes))
  }
}

const ours: ReadonlySet<unknown> = new Set([json, string, raw, binary])

function textOf(bytes: Uint8Array): string {
  return asBuffer(bytes).toString()
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
