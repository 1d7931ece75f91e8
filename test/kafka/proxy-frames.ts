// Cuts a TCP stream of Kafka into its frames: four bytes of length, and then so many.

export class Frames {
  #parts: Buffer[] = []
  #size = 0

  /** The frames that end with this chunk, each with its length in front. */
  push(chunk: Buffer): Buffer[] {
    this.#parts.push(chunk)
    this.#size += chunk.length
    const frames: Buffer[] = []
    while (this.#size >= 4) {
      const head = (this.#parts[0]?.length ?? 0) >= 4 ? this.#parts[0] : this.#joined()
      const size = 4 + (head?.readInt32BE(0) ?? 0)
      if (this.#size < size) break
      const all = this.#joined()
      frames.push(all.subarray(0, size))
      this.#parts = size === all.length ? [] : [all.subarray(size)]
      this.#size = all.length - size
    }
    return frames
  }

  #joined(): Buffer {
    const all = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts)
    this.#parts = [all]
    return all
  }
}
