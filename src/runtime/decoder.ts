// Data plane. Records of one source topic become frozen events; bad bytes become errors.
import type { BatchCursor } from '../core/batch-cursor.ts'
import type { TopicDeclaration } from '../core/declarations.ts'
import { TailraceError } from '../core/errors.ts'
import { type Place, StreamEvent } from '../core/event.ts'
import { freezeDeep } from '../core/freeze.ts'
import type { ReadAt } from '../core/codec.ts'
import { isThenable, readerOf, validate } from '../core/schema.ts'
import type { RecordHeader } from '../core/record-batch.ts'
import { RecordTexts } from '../core/text-slice.ts'
import type { RecordPlace } from './held-record.ts'

/** Records whose asynchronous validation is started together. */
const aheadMax = 64

export class Decoder {
  readonly #topic: TopicDeclaration
  readonly #readKey: ReadAt
  readonly #readValue: ReadAt
  readonly #texts = new RecordTexts()
  /** The place of an event that is made at once: written over by the next. */
  readonly #here: { -readonly [name in keyof Place]: Place[name] }
  // Validations under way, by offset; used only where a schema answers with promises.
  readonly #ahead = new Map<number, Promise<StreamEvent>>()

  constructor(topic: TopicDeclaration) {
    this.#topic = topic
    this.#here = { topic: topic.name, partition: 0, position: 0, timestamp: 0 }
    this.#readKey = readerOf(topic.key, keyName)
    this.#readValue = readerOf(topic.value, valueName)
  }

  /**
   * The event of the queue's current record, or a promise of it.
   *
   * @throws TAILRACE_SCHEMA_* when the bytes or the schema refuse
   */
  decode(queue: RecordPlace): StreamEvent | Promise<StreamEvent> {
    const { offset } = queue.cursor
    const started = this.#ahead.get(offset)
    if (started !== undefined) {
      this.#ahead.delete(offset)
      return started
    }
    const event = this.#decodeOne(queue.cursor, queue.partition)
    if (event instanceof Promise) this.#startAhead(queue)
    return event
  }

  /** Forgets validations that were started ahead. */
  reset(): void {
    this.#ahead.clear()
  }

  #startAhead(queue: RecordPlace): void {
    const cursor = queue.lookAhead()
    if (cursor === undefined || !cursor.next()) return
    for (let count = 1; count < aheadMax && cursor.next(); count++) {
      if (this.#ahead.has(cursor.offset)) continue
      const event = this.#decodeAhead(cursor, queue.partition)
      // Its turn comes later: until then a refusal must not count as unhandled.
      event.catch(() => undefined)
      this.#ahead.set(cursor.offset, event)
    }
  }

  async #decodeAhead(cursor: BatchCursor, partition: number): Promise<StreamEvent> {
    return this.#decodeOne(cursor, partition)
  }

  #decodeOne(cursor: BatchCursor, partition: number): StreamEvent | Promise<StreamEvent> {
    try {
      const event = this.#eventOf(cursor, partition)
      return event instanceof Promise ? this.#settled(event, cursor, partition) : event
    } catch (error) {
      return refuseAt(this.#placeOf(cursor, partition), error)
    }
  }

  #settled(
    event: Promise<StreamEvent>,
    cursor: BatchCursor,
    partition: number
  ): Promise<StreamEvent> {
    const place = this.#placeOf(cursor, partition)
    return event.catch((error) => refuseAt(place, error))
  }

  #placeOf({ offset: position, timestamp }: BatchCursor, partition: number): Place {
    return { topic: this.#topic.name, partition, position, timestamp }
  }

  #eventOf(cursor: BatchCursor, partition: number): StreamEvent | Promise<StreamEvent> {
    const { key: keySlot, value: valueSlot } = this.#topic
    const { bytes, keyEnd, keyStart, valueEnd, valueStart } = cursor
    const headers = cursor.headers()
    const texts = this.#texts
    texts.open(bytes, keyStart < 0 ? valueStart : keyStart, valueStart < 0 ? keyEnd : valueEnd)
    // The value first: where its reader made a text of the record, the key is a piece of it.
    const readValue = this.#readValue(bytes, valueStart, valueEnd, texts)
    const readKey = this.#readKey(bytes, keyStart, keyEnd, texts)
    const key = validate(keySlot, readKey, keyName)
    const value = validate(valueSlot, readValue, valueName)
    if (isThenable(key) || isThenable(value)) {
      return settledEvent(key, value, this.#placeOf(cursor, partition), headers)
    }
    const here = this.#here
    here.partition = partition
    here.position = cursor.offset
    here.timestamp = cursor.timestamp
    return new StreamEvent(key, value, here, headers, freezeDeep(value))
  }
}

// Apart from what needs no waiting: a closure there would cost each event its memory.
async function settledEvent(
  key: unknown,
  value: unknown,
  place: Place,
  headers: readonly RecordHeader[]
): Promise<StreamEvent> {
  const [settledKey, settled] = await Promise.all([key, value])
  return new StreamEvent(settledKey, settled, place, headers, freezeDeep(settled))
}

const keyName = 'the key'
const valueName = 'the value'

// The place is put into words only here: there are far more good records than bad ones.
function refuseAt({ partition, position, topic }: Place, error: unknown): never {
  if (!(error instanceof TailraceError)) throw error
  const context = { topic, partition, offset: position }
  throw error.within(`"${topic}" partition ${partition} offset ${position}`, context)
}
