// Writes and reads the flexible fields of Kafka's messages that this folder encodes itself.

import { TailraceError } from '../../core/errors.ts'

const twoTo32 = 0x1_0000_0000

/** Grows the body of a request. Only what is small goes through here: batches are never copied. */
export class WireWriter {
  #bytes: Buffer = Buffer.allocUnsafe(256)
  #end = 0

  int8(value: number): this {
    this.#room(1)
    this.#end = this.#bytes.writeInt8(value, this.#end)
    return this
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  int16(value: number): this {
    this.#room(2)
    this.#end = this.#bytes.writeInt16BE(value, this.#end)
    return this
  }

  int32(value: number): this {
    this.#room(4)
    this.#end = this.#bytes.writeInt32BE(value, this.#end)
    return this
  }

  /** A safe integer as 64 bits: offsets. */
  int64(value: number): this {
    const high = Math.floor(value / twoTo32)
    this.int32(high)
    this.#room(4)
    this.#end = this.#bytes.writeUInt32BE(value - high * twoTo32, this.#end)
    return this
  }

  /** Producer ids, which nobody counts with. */
  bigint64(value: bigint): this {
    this.#room(8)
    this.#end = this.#bytes.writeBigInt64BE(value, this.#end)
    return this
  }

  varint(value: number): this {
    this.#room(5)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#end++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#end++] = rest
    return this
  }

  /** A compact nullable string. */
  text(value: string | null): this {
    if (value === null) return this.varint(0)
    const size = Buffer.byteLength(value)
    this.varint(size + 1)
    this.#room(size)
    this.#end += this.#bytes.write(value, this.#end)
    return this
  }

  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.varint(items.length + 1)
    for (const item of items) write(item)
    return this
  }

  /** The end of a structure: no tagged fields. */
  end(): this {
    return this.varint(0)
  }

  /** What was written since the last `take`. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#end))
    this.#end = 0
    return taken
  }

  #room(bytes: number): void {
    if (this.#end + bytes <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#end + bytes))
    this.#bytes.copy(grown, 0, 0, this.#end)
    this.#bytes = grown
  }
}

/** Walks the body of an answer. */
export class WireReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int8(): number {
    return this.#bytes.readInt8(this.#step(1))
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#step(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#step(4))
  }

  int64(): number {
    const at = this.#step(8)
    return this.#bytes.readInt32BE(at) * twoTo32 + this.#bytes.readUInt32BE(at + 4)
  }

  bigint64(): bigint {
    return this.#bytes.readBigInt64BE(this.#step(8))
  }

  varint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#step(1)] ?? 0
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw this.#cutOff('a number without an end')
  }

  text(): string | null {
    const size = this.varint()
    if (size === 0) return null
    const at = this.#step(size - 1)
    return this.#bytes.toString('utf8', at, at + size - 1)
  }

  /** A view, not a copy. */
  bytes(size: number): Buffer {
    const at = this.#step(size)
    return this.#bytes.subarray(at, at + size)
  }

  list<T>(read: () => T): T[] {
    const count = this.varint() - 1
    if (count > this.#bytes.length - this.#at) throw this.#cutOff(`a list of ${count}`)
    const items: T[] = []
    for (let i = 0; i < count; i++) items.push(read())
    return items
  }

  /** The end of a structure; `known` reads a tagged field, and those it does not are skipped. */
  end(known?: (tag: number, field: WireReader) => void): void {
    for (let left = this.varint(); left > 0; left--) {
      const tag = this.varint()
      const field = this.bytes(this.varint())
      known?.(tag, new WireReader(field))
    }
  }

  #step(bytes: number): number {
    const at = this.#at
    if (at + bytes > this.#bytes.length) throw this.#cutOff(`${bytes} bytes at ${at}`)
    this.#at = at + bytes
    return at
  }

  #cutOff(what: string): TailraceError {
    return new TailraceError(
      'TAILRACE_TRANSPORT_CORRUPT',
      `an answer of the broker has ${this.#bytes.length} bytes, and ${what} was expected in it`
    )
  }
}
