// Where large answers are received: memory that is used again once nobody reads in it any more. V8
// searches all old objects for garbage each time some 64 MB were allocated for Buffers.

/** Smaller answers get memory of their own: they are not worth keeping it. */
const pooledBytesMin = 64 * 1024
/** The least room for an answer of some size is larger by no more than this share of it. */
const spareShare = 1 / 8
/** One is being filled, one waits to be handed out, and some are being worked through. */
const sparesMax = 4

/** What is held of one answer: the last one to let go of it gives its memory back. */
export class AnswerHold {
  readonly #giveBack: () => void
  #holders = 1

  constructor(giveBack: () => void) {
    this.#giveBack = giveBack
  }

  retain(): void {
    this.#holders++
  }

  /** Once for each that holds it; whoever never does so leaves the memory to the collector. */
  release(): void {
    this.#holders--
    if (this.#holders === 0) this.#giveBack()
  }
}

export class AnswerRooms {
  readonly #own = new WeakSet<ArrayBufferLike>()
  readonly #spare: Buffer[] = []

  /** Memory for so many bytes. What stood in it is still there. */
  take(bytes: number): Buffer {
    if (bytes < pooledBytesMin) return Buffer.allocUnsafeSlow(bytes)
    const index = this.#spare.findIndex((room) => room.length >= bytes)
    const [room = this.#newRoom(bytes)] = index < 0 ? [] : this.#spare.splice(index, 1)
    return room.subarray(0, bytes)
  }

  #newRoom(bytes: number): Buffer {
    const room = Buffer.allocUnsafeSlow(roomFor(bytes))
    this.#own.add(room.buffer)
    return room
  }

  /** For an answer that was received here; undefined for one that has memory of its own. */
  hold({ buffer }: Buffer): AnswerHold | undefined {
    if (!this.#own.has(buffer)) return undefined
    return new AnswerHold(() => this.#giveBack(Buffer.from(buffer)))
  }

  /** An answer needed none: while little comes, little is kept. */
  shrink(): void {
    this.#spare.pop()
  }

  #giveBack(room: Buffer): void {
    this.#spare.push(room)
    if (this.#spare.length <= sparesMax) return
    // The largest fit every answer.
    this.#spare.sort((a, b) => b.length - a.length)
    this.#spare.pop()
  }
}

// Answers of nearly the same size fit the same rooms.
function roomFor(bytes: number): number {
  const step = 2 ** Math.floor(Math.log2(bytes * spareShare))
  return Math.ceil(bytes / step) * step
}
