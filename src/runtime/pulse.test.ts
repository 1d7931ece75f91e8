// What the keeper reads of events that are open: one of a task, or several.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pulse, type WatchedTask } from './pulse.ts'

test('each place of a task has a row of its own, also beside tasks of one event', () => {
  const sources = [{ topic: 'in', readers: ['first', 'second'] }]
  const tasks: readonly WatchedTask[] = [
    { id: 'a/0', partition: 0, sources },
    { id: 'b/0', partition: 0, sources, places: 3 },
    { id: 'c/1', partition: 1, sources }
  ]
  const pulse = new Pulse(tasks)
  const keeper = new Pulse(tasks, pulse.shared)
  pulse.rowOf('a/0').enter(0, 5, 1)
  pulse.rowOf('b/0', 0).enter(0, 6, 0)
  const last = pulse.rowOf('b/0', 2)
  last.enter(0, 8, 1)
  pulse.rowOf('c/1').enter(0, 9, 0)
  const offsets = (): number[] => keeper.openEvents().map(({ offset }) => offset)
  assert.deepEqual(offsets(), [5, 6, 8, 9])
  assert.deepEqual(keeper.openEvents()[2], {
    topic: 'in',
    partition: 0,
    offset: 8,
    agent: 'second'
  })
  last.leave()
  assert.deepEqual(offsets(), [5, 6, 9])
  assert.throws(() => pulse.rowOf('b/0', 3), /no place/)
  assert.throws(() => pulse.rowOf('d/0'), /no place/)
})
