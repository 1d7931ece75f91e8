// Text of a part of a buffer. Node's `toString` looks at its encoding and its bounds each time,
// which takes longer than a short text itself; what it then calls is there for all to call.

interface SlicingBuffer extends Buffer {
  latin1Slice(start: number, end: number): string
  utf8Slice(start: number, end: number): string
}

const asciiMax = 0x7f
/** Shorter pieces of a text are copied out of it by V8, longer ones keep all of it in memory. */
const copiedMax = 12
/** What keeps all of a text may keep so many times itself, and so many bytes. */
const keptTimesMax = 6
const keptMax = 256

/**
 * The texts of one record: made of its bytes at once, short ones are pieces of that. A call of
 * Node's costs more than a short text.
 */
export class RecordTexts {
  #bytes: Buffer = Buffer.alloc(0)
  #start = 0
  #end = 0
  #text: string | undefined

  /** From here on it is about these bytes. */
  open(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes
    this.#start = start
    this.#end = end
    this.#text = undefined
  }

  /** Of bytes that are known to be ASCII. */
  ascii(from: number, to: number): string {
    if (!this.#isPiece(to - from)) return latin1Of(this.#bytes, from, to)
    this.#text ??= latin1Of(this.#bytes, this.#start, this.#end)
    return this.#text.substring(from - this.#start, to - this.#start)
  }

  #isPiece(length: number): boolean {
    const whole = this.#end - this.#start
    return length <= copiedMax || (whole <= keptMax && length * keptTimesMax >= whole)
  }

  utf8(from: number, to: number): string {
    const text = this.#text
    // Alone it is not worth the text of all.
    if (text === undefined || to - from > copiedMax) return utf8Of(this.#bytes, from, to)
    for (let at = from; at < to; at++) {
      if ((this.#bytes[at] as number) > asciiMax) return utf8Of(this.#bytes, from, to)
    }
    return text.substring(from - this.#start, to - this.#start)
  }
}

/** `0 <= start <= end <= bytes.length`. */
export function utf8Of(bytes: Buffer, start: number, end: number): string {
  return (bytes as SlicingBuffer).utf8Slice(start, end)
}

/** One character a byte; `0 <= start <= end <= bytes.length`. */
export function latin1Of(bytes: Buffer, start: number, end: number): string {
  return (bytes as SlicingBuffer).latin1Slice(start, end)
}
