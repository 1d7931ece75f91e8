// Data plane. The rows of one shard in one commit, as bytes. They wait until log and store have
// them: as objects, tens of thousands a second would grow old in the heap before they are garbage.
import { ByteWriter } from '../core/byte-writer.ts'
import type { Entry } from './entry.ts'

const bytesPerRow = 64

export class RowBlock {
  readonly entries: readonly Entry[]
  readonly writer: ByteWriter
  /** Of each row where its key ends, and where its value does: the same where it is deleted. */
  readonly #ends: Uint32Array
  #endCount = 0

  constructor(entries: readonly Entry[]) {
    this.entries = entries
    this.writer = new ByteWriter(entries.length * bytesPerRow)
    this.#ends = new Uint32Array(entries.length * 2)
  }

  /** What was written since the end before is a key or, after a key, its value. */
  end(): void {
    this.#ends[this.#endCount++] = this.writer.length
  }

  /** A view of the key of the entry at this index. */
  key(index: number): Uint8Array {
    const start = index === 0 ? 0 : (this.#ends[index * 2 - 1] as number)
    return this.writer.view(start, this.#ends[index * 2] as number)
  }

  /** A view of its row; null where it is deleted. */
  row(index: number): Uint8Array | null {
    const start = this.#ends[index * 2] as number
    const end = this.#ends[index * 2 + 1] as number
    return start === end ? null : this.writer.view(start, end)
  }
}
