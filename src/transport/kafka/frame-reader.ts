// Cuts a byte stream into Kafka's frames: each answer becomes one Buffer, copied at most once.

const lengthBytes = 4
const scratchBytes = 65_536

/** A broker answers far below this; more is another protocol, or a torn stream. */
const frameBytesMax = 1024 * 1024 * 1024

export class FrameReader {
  /** Memory for a frame that comes in several pieces. */
  allocate: (bytes: number) => Buffer = (bytes) => Buffer.allocUnsafeSlow(bytes)
  readonly #length: Buffer = Buffer.alloc(lengthBytes)
  #lengthFilled = 0
  #frame: Buffer | undefined
  #filled = 0
  #scratch: Buffer | undefined

  /** True while a frame has begun to come and is not whole. */
  get isWithin(): boolean {
    return this.#lengthFilled > 0
  }

  /**
   * Hands each frame that is whole to `take`, without its length. A frame may share memory with
   * `chunk`, which nobody writes to again.
   *
   * @throws RangeError for a length that is none
   */
  push(chunk: Buffer, take: (frame: Buffer) => void): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#frame === undefined) {
        const size = this.#readLength(chunk, at)
        if (size.bytes === undefined) return
        at += size.consumed
        if (size.bytes <= chunk.length - at) {
          this.#lengthFilled = 0
          take(chunk.subarray(at, at + size.bytes))
          at += size.bytes
          continue
        }
        this.#frame = this.allocate(size.bytes)
        this.#filled = 0
      }
      const copied = chunk.copy(this.#frame, this.#filled, at)
      at += copied
      this.#filled += copied
      if (this.#filled < this.#frame.length) return
      const frame = this.#frame
      this.#frame = undefined
      this.#lengthFilled = 0
      take(frame)
    }
  }

  /** Where the next bytes may be put: the rest of a frame that has begun, or a passing place. */
  room(): Buffer {
    if (this.#frame !== undefined) return this.#frame.subarray(this.#filled)
    this.#scratch ??= Buffer.allocUnsafeSlow(scratchBytes)
    return this.#scratch
  }

  /** As `push`, of so many bytes that were put where `room` said. */
  fill(bytes: number, take: (frame: Buffer) => void): void {
    const frame = this.#frame
    if (frame === undefined) {
      // What comes next is put in the same place.
      this.push(Buffer.from(this.room().subarray(0, bytes)), take)
      return
    }
    this.#filled += bytes
    if (this.#filled < frame.length) return
    this.#frame = undefined
    this.#lengthFilled = 0
    take(frame)
  }

  #readLength(
    chunk: Buffer,
    at: number
  ): { readonly bytes: number | undefined; readonly consumed: number } {
    const missing = lengthBytes - this.#lengthFilled
    const consumed = chunk.copy(this.#length, this.#lengthFilled, at, at + missing)
    this.#lengthFilled += consumed
    if (this.#lengthFilled < lengthBytes) return { bytes: undefined, consumed }
    const bytes = this.#length.readInt32BE(0)
    if (bytes < lengthBytes || bytes > frameBytesMax) {
      throw new RangeError(`a frame of ${bytes} bytes was announced`)
    }
    return { bytes, consumed }
  }
}

/** True for the first bytes of a TLS record: an alert of a listener that expects TLS. */
export function isTlsRecord(chunk: Buffer): boolean {
  const [type = 0, major = 0, minor = 0xff] = chunk
  return chunk.length >= 3 && type >= 0x14 && type <= 0x17 && major === 3 && minor <= 4
}
