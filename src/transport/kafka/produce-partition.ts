// Data plane. The batches of one partition, in order: which may go, and what goes again.

import type { OutgoingRecord } from '../../port/transport.ts'
import type { EncoderPool, ProduceBatch, ProducerIdentity } from './produce-batch.ts'
import type { Leader } from './produce-cluster.ts'

/** What a broker remembers of a producer's batches, and so what may be under way at once. */
export const inFlightMax = 5

const sequenceEnd = 2 ** 31
const epochMax = 32_767
/** Of a record, on top of key, value and headers. */
const recordOverhead = 40

export interface PartitionSettings {
  readonly topic: string
  readonly partition: number
  readonly pool: EncoderPool
  readonly isTransactional: boolean
  readonly batchBytesMax: number
}

export class PartitionSendQueue {
  readonly topic: string
  readonly partition: number
  /** As far as known. */
  leader: Leader | undefined
  /** Failures without a success between them. */
  failures = 0
  lastFailure: unknown
  /** Somebody is looking for the leader, or waits before trying again. */
  isAway = false
  readonly #settings: PartitionSettings
  #identity: ProducerIdentity
  #nextSequence = 0
  /** The broker has taken a batch of this identity, and from then on minds the sequence. */
  #isKnown = false
  #open: ProduceBatch | undefined
  /** The open batch need not wait for more. */
  #isDue = false
  /** Closed ones: those that go again before those that never went. */
  #waiting: ProduceBatch[] = []
  #inFlight: ProduceBatch[] = []
  /** They go again when nothing is in flight any more. */
  #failed: ProduceBatch[] = []
  #isRestartDue = false

  constructor(settings: PartitionSettings, identity: ProducerIdentity) {
    this.topic = settings.topic
    this.partition = settings.partition
    this.#settings = settings
    this.#identity = identity
  }

  /** Set when the identity's epochs are used up: only another id can go on. */
  get isWornOut(): boolean {
    return this.#identity.epoch >= epochMax
  }

  /** The open batch, if it has room for the record; one that has none is closed. */
  room(record: OutgoingRecord): ProduceBatch | undefined {
    if (this.#open === undefined) return undefined
    const bytes = this.#open.sizeBytes + sizeOf(record)
    if (bytes > this.#settings.batchBytesMax) this.close()
    return this.#open
  }

  open(batch: ProduceBatch): void {
    this.#open = batch
  }

  close(): void {
    if (this.#open === undefined) return
    this.#waiting.push(this.#open)
    this.#open = undefined
    this.#isDue = false
  }

  /** The open batch goes when there is a place for it, and takes more records until then. */
  due(): void {
    this.#isDue = this.#open !== undefined
  }

  /** A batch may go now, as far as this partition goes. */
  get isReady(): boolean {
    if (this.#waiting.length === 0 && !this.#isDue) return false
    if (this.#failed.length > 0 || this.isAway) return false
    // One that fails before the broker knows the producer must not be overtaken by the next. One
    // that goes again may be in the log, which can tell only as long as five more are not.
    const isAgain = this.#waiting[0]?.isStamped === true || (this.#inFlight[0]?.attempts ?? 0) > 1
    return this.#inFlight.length < (this.#isKnown && !isAgain ? inFlightMax : 1)
  }

  /** The next one, without taking it. */
  get head(): ProduceBatch | undefined {
    if (this.#waiting.length === 0 && this.#isDue) this.close()
    return this.#waiting[0]
  }

  take(): ProduceBatch | undefined {
    const { head: batch } = this
    if (batch === undefined) return undefined
    this.#waiting.shift()
    if (!batch.isStamped) {
      batch.stamp(this.#identity, this.#nextSequence, this.#settings)
      this.#nextSequence = (this.#nextSequence + batch.recordCount) % sequenceEnd
    }
    batch.attempts++
    this.#inFlight.push(batch)
    return batch
  }

  /** Nothing that went before is unsettled. */
  isHead(batch: ProduceBatch): boolean {
    return this.#inFlight[0] === batch && this.#failed.length === 0
  }

  accepted(batch: ProduceBatch): void {
    this.#isKnown = true
    this.failures = 0
    this.#land(batch)
  }

  /** It goes again, in its place, with the same bytes. */
  again(batch: ProduceBatch): void {
    this.#failed.push(batch)
    this.#land(batch)
  }

  /** It goes again, and what waits behind it, in a sequence that begins anew. */
  restart(batch: ProduceBatch): void {
    this.#isRestartDue = true
    this.again(batch)
  }

  /** Two halves go in its place: the sequence it had is theirs. */
  split(batch: ProduceBatch): readonly ProduceBatch[] {
    const halves = batch.split(this.#settings.pool)
    let { sequence } = batch
    for (const half of halves) {
      half.stamp(batch.identity ?? this.#identity, sequence, this.#settings)
      sequence = (sequence + half.recordCount) % sequenceEnd
    }
    this.#failed.push(...halves)
    this.#land(batch)
    return halves
  }

  /** It is given up, and its place in the sequence with it. */
  rejected(batch: ProduceBatch): void {
    const isLast = this.#inFlight.at(-1) === batch && this.#failed.length === 0
    this.#land(batch)
    const isAlone = isLast && this.#inFlight.length === 0 && this.#waiting[0]?.isStamped !== true
    // Where something follows, the broker refuses that as out of order, and the sequence restarts.
    if (isAlone && !batch.isUncertain) this.#nextSequence = batch.sequence
  }

  /** Takes out a batch that is not in flight: its time is over. */
  expire(): ProduceBatch | undefined {
    return this.#waiting.shift()
  }

  /** Begins at sequence 0 under another identity; nothing may be in flight. */
  reset(identity: ProducerIdentity): void {
    this.#identity = identity
    this.#nextSequence = 0
    this.#isKnown = false
    this.#isRestartDue = false
    for (const batch of this.#waiting) batch.identity = undefined
  }

  /** The next batch has this place in the sequence: where another sender of the identity ended. */
  startAt(sequence: number): void {
    this.#nextSequence = sequence
  }

  /** Takes out what was never sent and what would go again. */
  drop(): readonly ProduceBatch[] {
    this.close()
    const batches = [...this.#failed, ...this.#waiting]
    this.#failed = []
    this.#waiting = []
    return batches
  }

  #land(batch: ProduceBatch): void {
    const at = this.#inFlight.indexOf(batch)
    if (at >= 0) this.#inFlight.splice(at, 1)
    if (this.#inFlight.length === 0 && this.#failed.length > 0) this.#round()
  }

  // Answers come in the order of their requests, except where a connection was lost.
  #round(): void {
    this.#waiting = [...this.#failed.sort(bySequence), ...this.#waiting]
    this.#failed = []
    if (!this.#isRestartDue) return
    const { id, epoch } = this.#identity
    this.reset({ id, epoch: epoch + 1 })
  }
}

function bySequence(a: ProduceBatch, b: ProduceBatch): number {
  const distance = a.sequence - b.sequence
  // On the two sides of the wrap.
  return Math.abs(distance) > sequenceEnd / 2 ? -distance : distance
}

function sizeOf({ key, value, headers }: OutgoingRecord): number {
  let bytes = recordOverhead + (key?.length ?? 0) + (value?.length ?? 0)
  if (headers !== undefined) {
    for (const one of headers) bytes += 10 + one.key.length + (one.value?.length ?? 0)
  }
  return bytes
}
