// From a stream's description to fused steps: where it begins, and what its steps do to an event.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppDeclaration } from './declare.ts'
import { hasCode } from './errors.ts'
import { StreamEvent } from './event.ts'
import { type Fused, fuse, inletsOf } from './pipeline.ts'
import { declarationOf, type Stream, streamHandle } from './stream.ts'

const settings = { codec: undefined, deadLetter: undefined, onError: undefined }

function scene(): { readonly topic: (name: string) => Stream<string, number> } {
  const app = new AppDeclaration({ id: 'app', ...settings })
  return {
    topic: (name) => {
      const declaration = app.topic(name, {})
      return streamHandle(declarationOf({ kind: 'topic', name, declaration }), app)
    }
  }
}

function event(value: unknown): StreamEvent {
  return new StreamEvent('k', value, { topic: 't', partition: 0, position: 7, timestamp: 5 }, [])
}

function fused(stream: Stream<never, never> | Stream<string, number>): Fused {
  return fuse(inletsOf(stream.declaration)[0]?.steps ?? [])
}

test('a stream begins at its topics, each with the steps its events take, in order', () => {
  const { topic } = scene()
  const a = topic('a').map((one) => one.value + 1)
  const merged = a.merge(topic('b').filter(() => true)).tap(() => undefined)
  const inlets = inletsOf(merged.declaration)
  assert.deepEqual(
    inlets.map((inlet) => [inlet.topic.name, inlet.steps.map((step) => step.kind)]),
    [
      ['a', ['map', 'tap']],
      ['b', ['filter', 'tap']]
    ]
  )
})

test('after a groupBy a stream begins at the repartition topic', () => {
  const grouped = scene()
    .topic('a')
    .map((one) => one.value)
    .groupBy('by-size', (one) => String(one.value))
    .filter(() => true)
  const [inlet, ...more] = inletsOf(grouped.declaration)
  assert.equal(more.length, 0)
  assert.equal(inlet?.topic.name, 'app-by-size-repartition')
  assert.deepEqual(
    inlet?.steps.map((step) => step.kind),
    ['filter']
  )
})

test('steps run in order; a filter ends the way, a tap changes nothing', () => {
  const seen: unknown[] = []
  const run = fused(
    scene()
      .topic('a')
      .tap((one) => seen.push(one.value))
      .map((one) => one.value * 2)
      .filter((one) => one.value > 5)
      .map((one) => one.value + 1)
      .tap((one) => {
        seen.push(one.value)
        return false
      })
  )
  assert.equal(run(event(2)), undefined)
  const out = run(event(3))
  assert.equal(out?.value, 7)
  assert.deepEqual(seen, [2, 3, 7])
  assert.deepEqual([out?.key, out?.offset, out?.timestamp], ['k', 7n, 5])
})

test('no steps hand the event on as it is', () => {
  const one = event(1)
  assert.equal(fuse([])(one), one)
})

test('what a map makes is frozen', () => {
  const run = fused(
    scene()
      .topic('a')
      .map((one) => ({ list: [one.value] })) as never
  )
  const made = run(event(1))?.value
  assert.ok(Object.isFrozen(made) && Object.isFrozen((made as { list: number[] }).list))
})

test('a step that returns a promise is refused: it would be dropped silently', () => {
  const isAsync = (error: unknown): boolean => hasCode(error, 'TAILRACE_AGENT_ASYNC_STEP')
  const { topic } = scene()
  const map = fused(topic('a').map(async (one) => one.value) as never)
  const filter = fused(topic('b').filter((async () => true) as never))
  assert.throws(() => map(event(1)), isAsync)
  assert.throws(() => filter(event(1)), isAsync)
})

test('what a step throws goes through', () => {
  const run = fused(
    scene()
      .topic('a')
      .map(() => {
        throw new RangeError('no')
      }) as never
  )
  assert.throws(() => run(event(1)), RangeError)
})
