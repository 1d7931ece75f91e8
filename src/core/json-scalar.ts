// Reads one text, number or word of JSON where it stands among bytes. What is written in a way that
// takes a closer look is not read here.
import { latin1Of, RecordTexts, utf8Of } from './text-slice.ts'

const quote = 0x22
const backslash = 0x5c
const minus = 0x2d
const zero = 0x30
const firstPrintable = 0x20
const asciiMax = 0x7f
/** Longer runs of digits are beyond what adds up exactly. */
const digitsMax = 15
const wordBytes = 4
const fourOnes = 0x0101_0101
const fourQuotes = quote * fourOnes
const fourBackslashes = backslash * fourOnes
const fourBlanks = firstPrintable * fourOnes
const fourHighBits = 0x8080_8080

const numberForm = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const literals: readonly { readonly value: unknown; readonly bytes: Uint8Array }[] = [
  { value: true, bytes: Buffer.from('true') },
  { value: false, bytes: Buffer.from('false') },
  { value: null, bytes: Buffer.from('null') }
]
const noBytes = Buffer.alloc(0)

export class JsonScalarReader {
  /** What was read last. */
  value: unknown
  /** Of the bytes that are read. */
  view: DataView = new DataView(noBytes.buffer, 0, 0)
  #bytes: Buffer = noBytes
  #texts = new RecordTexts()

  /** From here on it reads these bytes. */
  open(bytes: Buffer, texts: RecordTexts): void {
    this.#texts = texts
    if (bytes === this.#bytes) return
    this.#bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Where the value that begins at `at` ends; -1 where there is none that can be read here. */
  read(at: number, end: number): number {
    return this.#bytes[at] === quote ? this.#string(at + 1, end) : this.#other(at, end)
  }

  #string(from: number, end: number): number {
    const bytes = this.#bytes
    let to = from
    // Four at a time as long as they are all plain; the first that is not is looked at by itself.
    while (to + wordBytes <= end && isPlainWord(this.view.getInt32(to))) to += wordBytes
    let isAscii = true
    for (; ; to++) {
      if (to >= end) return -1
      const byte = bytes[to] as number
      if (byte === quote) break
      if (byte === backslash || byte < firstPrintable) return -1
      if (byte > asciiMax) isAscii = false
    }
    this.value = isAscii ? this.#texts.ascii(from, to) : utf8Of(bytes, from, to)
    return to + 1
  }

  #other(at: number, end: number): number {
    const bytes = this.#bytes
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
      return this.#number(at, end)
    }
    this.value = first === minus ? -number : number
    return to
  }

  #number(at: number, end: number): number {
    const bytes = this.#bytes
    let to = at
    while (to < end && isNumberByte(bytes[to])) to++
    const text = latin1Of(bytes, at, to)
    if (!numberForm.test(text)) return -1
    this.value = Number(text)
    return to
  }

  #literal(at: number): number {
    for (const literal of literals) {
      if (!this.#stands(literal.bytes, at)) continue
      this.value = literal.value
      return at + literal.bytes.length
    }
    return -1
  }

  #stands(word: Uint8Array, at: number): boolean {
    for (let index = 0; index < word.length; index++) {
      if (this.#bytes[at + index] !== word[index]) return false
    }
    return true
  }
}

// Whether four bytes are all ASCII, printable, and neither quote nor backslash: subtracting turns a
// high bit on where one is none of that. What it borrows then from the byte above can only make
// that one look so as well.
function isPlainWord(word: number): boolean {
  const quotes = word ^ fourQuotes
  const backslashes = word ^ fourBackslashes
  const marks =
    ((quotes - fourOnes) & ~quotes) |
    ((backslashes - fourOnes) & ~backslashes) |
    ((word - fourBlanks) & ~word) |
    word
  return (marks & fourHighBits) === 0
}

function isNumberByte(byte: number | undefined): boolean {
  if (byte === undefined) return false
  return (byte >= zero && byte <= zero + 9) || numberSigns.includes(byte)
}

const numberSigns: readonly number[] = [...Buffer.from('+-.eE')]
