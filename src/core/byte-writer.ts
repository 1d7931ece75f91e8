// Bytes written one after the other into a buffer that grows.

// Up to these lengths a call of Node's costs more than a loop.
const shortTextMax = 48
const shortBytesMax = 24
const zero = 0x30
const minus = 0x2d
/** A safe integer is at most twice so many digits long, and each half is a small one. */
const halfDigits = 8
const half = 10 ** halfDigits
/** Bytes of a character of UTF-16 in UTF-8, at most. */
const utf8PerUnit = 3

/** For `ascii`: a list of 128, for each character whether it is taken. */
export function asciiWhere(isAllowed: (code: number) => boolean): readonly boolean[] {
  return Array.from({ length: 128 }, (_, code) => isAllowed(code))
}

const allAscii = asciiWhere(() => true)

export class ByteWriter {
  #buffer: Buffer
  #length = 0

  constructor(bytesExpected: number) {
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(bytesExpected, 64))
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length
  }

  /** Forgets what was written behind this length. */
  truncate(length: number): void {
    this.#length = length
  }

  /** A view of what was written: good until more is. */
  view(start: number, end: number): Buffer {
    return this.#buffer.subarray(start, end)
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#length++] = value
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    const buffer = this.#buffer
    const at = this.#length
    if (bytes.length > shortBytesMax) buffer.set(bytes, at)
    else for (let index = 0; index < bytes.length; index++) buffer[at + index] = bytes[index]!
    this.#length = at + bytes.length
  }

  double(value: number): void {
    this.#reserve(8)
    this.#length = this.#buffer.writeDoubleBE(value, this.#length)
  }

  /** In decimal digits; only for safe integers. */
  integer(value: number): void {
    this.#reserve(1 + 2 * halfDigits)
    const positive = Math.abs(value)
    if (value < 0) this.#buffer[this.#length++] = minus
    const high = Math.floor(positive / half)
    const low = positive - high * half
    if (high > 0) this.#digits(high, digitsOf(high))
    this.#digits(low, high > 0 ? halfDigits : digitsOf(low))
  }

  #digits(value: number, count: number): void {
    const buffer = this.#buffer
    const start = this.#length
    let left = value | 0
    for (let at = start + count - 1; at >= start; at--) {
      const tens = (left / 10) | 0
      buffer[at] = zero + left - tens * 10
      left = tens
    }
    this.#length = start + count
  }

  /** UTF-8; half of a surrogate pair becomes U+FFFD, as everywhere in Node. */
  text(text: string): void {
    this.#reserve(text.length * utf8PerUnit)
    if (text.length <= shortTextMax && this.ascii(text, allAscii)) return
    this.#length += this.#buffer.write(text, this.#length)
  }

  /** False, and nothing is written, where a character is none of the first 128 or not allowed. */
  ascii(text: string, isAllowed: readonly boolean[]): boolean {
    this.#reserve(text.length)
    const buffer = this.#buffer
    const at = this.#length
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (isAllowed[code] !== true) return false
      buffer[at + index] = code
    }
    this.#length = at + text.length
    return true
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }
}

function digitsOf(value: number): number {
  let count = 1
  for (let power = 10; value >= power; power *= 10) count++
  return count
}
