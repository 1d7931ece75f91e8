// Fetching across a task's end: an answer that was under way belongs to the opening that asked.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BatchEncoder } from '../core/record-batch.ts'
import type { FetchedChunk, Fetcher, FetchPosition, TopicPartition } from '../port/transport.ts'
import { Intake } from './intake.ts'
import { PartitionQueue } from './partition-queue.ts'
import { realClock } from './real-clock.ts'

/** Answers when the test says so; keeps what it was told to fetch. */
class HeldFetcher implements Fetcher {
  readonly added: FetchPosition[] = []
  readonly #asked: PromiseWithResolvers<readonly FetchedChunk[]>[] = []

  add(positions: readonly FetchPosition[]): void {
    this.added.push(...positions)
  }
  fetch(): Promise<readonly FetchedChunk[]> {
    const answer = Promise.withResolvers<readonly FetchedChunk[]>()
    this.#asked.push(answer)
    return answer.promise
  }
  /** Ends the fetch under way, and waits until the next one is asked for. */
  async answer(chunks: readonly FetchedChunk[]): Promise<void> {
    this.#asked.shift()?.resolve(chunks)
    while (this.#asked.length === 0) await realClock.turn()
  }
  /** Ends the fetch under way for good. */
  release(): void {
    this.#asked.shift()?.resolve([])
  }
  remove(): void {}
  seek(): void {}
  pause(): void {}
  resume(): void {}
  wake(): void {}
  close(): Promise<void> {
    return Promise.resolve()
  }
}

const at: TopicPartition = { topic: 'in', partition: 0 }

function chunk(offset: number): FetchedChunk {
  const encoder = new BatchEncoder()
  encoder.append(null, Buffer.from('a'), 0, [])
  const bytes = encoder.finish()
  bytes.writeBigInt64BE(BigInt(offset), 0)
  return { ...at, bytes, nextOffset: offset + 1, end: 100 }
}

function taskAt(position: number) {
  const queue = new PartitionQueue(at, position)
  return { queue, task: { id: 'in/0', queues: [queue], isOpen: false, pump: () => undefined } }
}

test('what an earlier opening of a task asked for is not taken for the next one', async () => {
  const fetcher = new HeldFetcher()
  const intake = new Intake({
    onPoll: () => undefined,
    fetcher,
    clock: realClock,
    fetchBytesMax: 1_000,
    queueBytesMax: 1_000,
    queueRecordsMax: 1_000,
    kick: () => undefined,
    onOutOfRange: () => undefined,
    onError: (error) => assert.fail(String(error))
  })
  intake.start()
  const before = taskAt(10)
  intake.add(before.task)
  await fetcher.answer([])
  // A commit failed: the task begins again further back, and the answer for ten comes then.
  intake.remove(before.task)
  const after = taskAt(0)
  intake.add(after.task)
  await fetcher.answer([chunk(10)])
  assert.equal(after.queue.peek(), false)
  assert.equal(fetcher.added.at(-1)?.offset, 0, 'asked for anew')
  await fetcher.answer([chunk(0)])
  assert.equal(after.queue.peek(), true)
  assert.equal(after.queue.cursor.offset, 0)
  const stopped = intake.stop()
  fetcher.release()
  await stopped
})
