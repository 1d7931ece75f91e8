// Bytes written one after the other into a buffer that grows.

/** Text up to this length is written here: a call of Node's costs more than a loop. */
const shortTextMax = 48
/** Bytes of a character of UTF-16 in UTF-8, at most. */
const utf8PerUnit = 3

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

  /** What was written, in memory of its own. */
  copy(): Buffer {
    const copy = Buffer.allocUnsafe(this.#length)
    this.#buffer.copy(copy, 0, 0, this.#length)
    return copy
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
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
  }

  double(value: number): void {
    this.#reserve(8)
    this.#length = this.#buffer.writeDoubleBE(value, this.#length)
  }

  uint32(value: number): void {
    this.#reserve(4)
    this.#length = this.#buffer.writeUInt32BE(value, this.#length)
  }

  /** As `bytes`, for a few: a call of Node's costs more than a loop. */
  fewBytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    const buffer = this.#buffer
    let at = this.#length
    for (let index = 0; index < bytes.length; index++) buffer[at++] = bytes[index] as number
    this.#length = at
  }

  /** False, and nothing is written, for text that JSON could not have as it is. */
  jsonText(text: string): boolean {
    this.#reserve(text.length)
    const buffer = this.#buffer
    let at = this.#length
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return false
      buffer[at++] = code
    }
    this.#length = at
    return true
  }

  /** UTF-8; half of a surrogate pair becomes U+FFFD, as everywhere in Node. */
  text(text: string): void {
    this.#reserve(text.length * utf8PerUnit)
    if (text.length <= shortTextMax && this.#ascii(text)) return
    this.#length += this.#buffer.write(text, this.#length)
  }

  #ascii(text: string): boolean {
    const buffer = this.#buffer
    let at = this.#length
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code > 0x7f) return false
      buffer[at++] = code
    }
    this.#length = at
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
