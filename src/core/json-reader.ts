// Reads the JSON values of one side of a topic: by the shape of those before, where it fits.
import { JsonShape } from './json-shape.ts'
import { type RecordTexts, utf8Of } from './text-slice.ts'

// A shape is kept while two of three values have it; a run of others is forgiven up to a point.
const creditMax = 32
const missCost = 2
/** Values that are parsed before another shape is tried; twice as many each time it fails. */
const pauseFirst = 64
const pauseMax = 65_536

export class JsonReader {
  readonly #parse: (text: string) => unknown
  #shape: JsonShape | undefined
  #credit = 0
  #pause = 0
  #nextPause = pauseFirst

  /** `parse` reads what has another shape. */
  constructor(parse: (text: string) => unknown) {
    this.#parse = parse
  }

  read(bytes: Buffer, start: number, end: number, texts: RecordTexts): unknown {
    const value = this.#shape?.read(bytes, start, end, texts)
    if (value === undefined) return this.#readOther(bytes, start, end)
    if (this.#credit < creditMax) this.#credit++
    return value
  }

  #readOther(bytes: Buffer, start: number, end: number): unknown {
    const text = utf8Of(bytes, start, end)
    const value = this.#parse(text)
    if (this.#shape === undefined) this.#learn(text, value)
    else this.#miss()
    return value
  }

  #learn(text: string, value: unknown): void {
    if (this.#pause > 0) {
      this.#pause--
      return
    }
    this.#shape = JsonShape.of(text, value)
    this.#credit = creditMax
    if (this.#shape === undefined) this.#giveUp()
  }

  #miss(): void {
    this.#credit -= missCost
    if (this.#credit <= 0) this.#giveUp()
  }

  #giveUp(): void {
    this.#shape = undefined
    this.#pause = this.#nextPause
    this.#nextPause = Math.min(this.#nextPause * 2, pauseMax)
  }
}
