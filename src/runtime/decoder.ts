// Data plane. Records of one source topic become frozen events; bad bytes become errors.
import type { BatchCursor } from '../core/batch-cursor.ts'
import type { TopicDeclaration } from '../core/declarations.ts'
import { TailraceError } from '../core/errors.ts'
import { type Place, StreamEvent } from '../core/event.ts'
import { freezeDeep } from '../core/freeze.ts'
import { decodeAt, isThenable, validate } from '../core/schema.ts'
import type { PartitionQueue } from './partition-queue.ts'

/** Records whose asynchronous validation is started together. */
const aheadMax = 64

export class Decoder {
  readonly #topic: TopicDeclaration
  // Validations under way, by offset; used only where a schema answers with promises.
  readonly #ahead = new Map<number, Promise<StreamEvent>>()

  constructor(topic: TopicDeclaration) {
    this.#topic = topic
  }

  /**
   * The event of the queue's current record, or a promise of it.
   *
   * @throws TAILRACE_SCHEMA_* when the bytes or the schema refuse
   */
  decode(queue: PartitionQueue): StreamEvent | Promise<StreamEvent> {
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

  #startAhead(queue: PartitionQueue): void {
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
      if (!(event instanceof Promise)) return event
      const place = this.#placeOf(cursor, partition)
      return event.catch((error) => refuseAt(place, error))
    } catch (error) {
      return refuseAt(this.#placeOf(cursor, partition), error)
    }
  }

  #placeOf({ offset: position, timestamp }: BatchCursor, partition: number): Place {
    return { topic: this.#topic.name, partition, position, timestamp }
  }

  #eventOf(cursor: BatchCursor, partition: number): StreamEvent | Promise<StreamEvent> {
    const { key: keySlot, value: valueSlot } = this.#topic
    const { bytes, keyEnd, keyStart, valueEnd, valueStart } = cursor
    const headers = cursor.headers()
    const key = validate(keySlot, decodeAt(keySlot, bytes, keyStart, keyEnd, keyName), keyName)
    const read = decodeAt(valueSlot, bytes, valueStart, valueEnd, valueName)
    const value = validate(valueSlot, read, valueName)
    const place = this.#placeOf(cursor, partition)
    if (!isThenable(key) && !isThenable(value)) {
      return new StreamEvent(key, value, place, headers, freezeDeep(value))
    }
    return Promise.all([key, value]).then(
      ([settledKey, settledValue]) =>
        new StreamEvent(settledKey, settledValue, place, headers, freezeDeep(settledValue))
    )
  }
}

const keyName = 'the key'
const valueName = 'the value'

// The place is put into words only here: there are far more good records than bad ones.
function refuseAt({ partition, position, topic }: Place, error: unknown): never {
  if (!(error instanceof TailraceError)) throw error
  const context = { topic, partition, offset: position }
  throw error.within(`"${topic}" partition ${partition} offset ${position}`, context)
}
