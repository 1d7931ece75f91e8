// Writes JSON of flat objects and numbers, which is what most records are, without a text between
// value and bytes. What else there is, is left to `JSON.stringify`.
import { asciiWhere, type ByteWriter } from './byte-writer.ts'

const brace = 0x7b
const closingBrace = 0x7d
const comma = 0x2c
const quote = 0x22
const backslash = 0x5c
const firstPrintable = 0x20
/** What a text of JSON holds without being escaped; of other alphabets V8 takes care. */
const standsAsItIs = asciiWhere(
  (code) => code >= firstPrintable && code !== quote && code !== backslash
)
/** Longer texts are faster looked through by V8. */
const plainTextMax = 256
/** Names come from programs, so they are few; where they come from data, they are not kept. */
const prefixesMax = 10_000

/** What stands before the value of each name. */
const prefixes = new Map<string, Uint8Array>()

/** What `JSON.stringify` would give, as UTF-8; false, and nothing is written, where it is asked. */
export function writeSimpleJson(writer: ByteWriter, value: unknown): boolean {
  if (typeof value === 'number') return writeScalar(writer, value)
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  // Also one that is not listed among its names.
  if ('toJSON' in value) return false
  return writeObject(writer, value as Readonly<Record<string, unknown>>)
}

function writeObject(writer: ByteWriter, object: Readonly<Record<string, unknown>>): boolean {
  const start = writer.length
  let mark = brace
  for (const name of Object.keys(object)) {
    const value = object[name]
    if (value === undefined) continue
    const prefix = prefixes.get(name) ?? learnt(name)
    if (prefix === undefined) {
      writer.truncate(start)
      return false
    }
    writer.byte(mark)
    mark = comma
    writer.bytes(prefix)
    if (writeScalar(writer, value)) continue
    writer.truncate(start)
    return false
  }
  if (mark === brace) writer.byte(brace)
  writer.byte(closingBrace)
  return true
}

function writeScalar(writer: ByteWriter, value: unknown): boolean {
  if (typeof value === 'string') {
    writeString(writer, value)
    return true
  }
  if (Number.isSafeInteger(value)) {
    writer.integer(value as number)
    return true
  }
  const isWord = typeof value === 'boolean' || value === null
  if (!isWord && (typeof value !== 'number' || !Number.isFinite(value))) return false
  writer.text(String(value))
  return true
}

function writeString(writer: ByteWriter, text: string): void {
  const start = writer.length
  if (text.length <= plainTextMax) {
    writer.byte(quote)
    if (writer.ascii(text, standsAsItIs)) {
      writer.byte(quote)
      return
    }
    writer.truncate(start)
  }
  writer.text(JSON.stringify(text))
}

// None for the names that reading refuses.
function learnt(name: string): Uint8Array | undefined {
  if (name === '__proto__' || name === 'constructor') return undefined
  const prefix = Buffer.from(`${JSON.stringify(name)}:`)
  if (prefixes.size < prefixesMax) prefixes.set(name, prefix)
  return prefix
}
