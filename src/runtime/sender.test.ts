// The open transaction of a worker when one of its tasks turns out to be another's.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OutgoingRecord, TaskCommit, TransactionalProducer } from '../port/transport.ts'
import { Sender } from './sender.ts'

/** A log that refuses one task, and notes what each transaction brought. */
class FakeProducer implements TransactionalProducer {
  readonly pendingBytes = 0
  readonly transactions: string[][] = []
  #open: string[] = []
  readonly #fenced: string

  constructor(fenced: string) {
    this.#fenced = fenced
  }

  append(task: string, { key }: OutgoingRecord): void {
    this.#open.push(`${task}: ${String(key)}`)
  }

  commitOffsets(_commit: TaskCommit): void {}

  async begin(): Promise<void> {}

  async end(): Promise<{ fenced: readonly string[]; ends: readonly [] }> {
    this.transactions.push(this.#open)
    this.#open = []
    return { fenced: this.transactions.length === 1 ? [this.#fenced] : [], ends: [] }
  }

  async abort(): Promise<void> {}

  async close(): Promise<void> {}
}

function output(key: string): readonly OutgoingRecord[] {
  return [{ topic: 'out', partition: 0, key: Buffer.from(key), value: null, timestamp: 0 }]
}

test('a task refused by the log sends nothing more, and the others go on undisturbed', async () => {
  const producer = new FakeProducer('lost')
  const sender = new Sender(producer)
  await sender.begin()
  for (const task of ['lost', 'kept']) sender.accept(task, output('1'))
  sender.seal()
  const ending = sender.end()
  for (const task of ['lost', 'kept']) sender.accept(task, output('2'))
  assert.deepEqual((await ending).fenced, ['lost'])
  // It runs on until the commit has written the store and drops it.
  for (const task of ['lost', 'kept']) sender.accept(task, output('3'))
  sender.forget('lost')
  sender.check()
  // Given to us anew.
  sender.accept('lost', output('4'))
  sender.seal()
  await sender.end()
  assert.deepEqual(producer.transactions[1], ['kept: 2', 'kept: 3', 'lost: 4'])
})

test('a task dropped while its transaction ends, and given to us anew, is another', async () => {
  const producer = new FakeProducer('moved')
  const sender = new Sender(producer)
  await sender.begin()
  sender.accept('moved', output('1'))
  sender.seal()
  const ending = sender.end()
  sender.forget('moved')
  await ending
  sender.accept('moved', output('2'))
  sender.seal()
  await sender.end()
  assert.deepEqual(producer.transactions[1], ['moved: 2'])
})

test('outputs of a lost task spoil their transaction until it is sealed', async () => {
  const sender = new Sender(new FakeProducer('nobody'))
  await sender.begin()
  sender.accept('a', output('1'))
  sender.seal()
  await sender.end()
  sender.forget('a')
  sender.check()
  sender.accept('a', output('2'))
  sender.forget('a')
  assert.throws(() => sender.check())
})
