// What an app refuses of a program without types, and which typed calls no type can refuse.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { hasCode } from '../core/errors.ts'
import { type App, createApp } from './app.ts'

const appOf = (): App => createApp({ id: 'app', broker: 'memory:' })

/** Calls a method as JavaScript does: with whatever it likes. */
function called(app: App, method: string, ...given: readonly unknown[]): string {
  const call: (...all: readonly unknown[]) => unknown = Reflect.get(app, method)
  try {
    call.apply(app, [...given])
  } catch (error) {
    assert.ok(hasCode(error, 'TAILRACE_CONFIG_INVALID'), String(error))
    return error.message.replace(/^TAILRACE_CONFIG_INVALID: /, '')
  }
  return assert.fail(`app.${method} took it`)
}

test('what is forgotten or in the wrong place is told, and not a TypeError', () => {
  const app = appOf()
  const source = app.topic('t')
  const run = async (): Promise<void> => {}
  assert.equal(
    called(app, 'agent', 'a', run),
    'agent "a" has one problem\n  options: are a function; expected an object'
  )
  assert.match(called(app, 'agent', 'a'), /options: are not there; expected an object/)
  assert.match(
    called(app, 'agent', 'a', { source }),
    /last argument: is not there; expected the function that it runs/
  )
  assert.match(called(app, 'each', 'a', { source }, 'x'), /last argument: is "x"; expected/)
  assert.match(called(app, 'each', 'a', {}, run), /source: is missing; expected a topic/)
  assert.match(called(app, 'agent', 'a', { source: 't' }, run), /source: is "t"; expected a topic/)
  assert.match(called(app, 'timer', 'a', run), /timer "a" has one problem/)
  assert.match(called(app, 'timer', 'a', { every: '1s' }), /last argument: is not there/)
  assert.match(called(app, 'task', 'a', run), /options: are a function/)
  assert.match(called(app, 'topic', 't2', 8), /topic "t2" has one problem\n {2}options: are 8/)
  assert.match(called(app, 'table', 'x', { key: z.string() }), /value: is missing/)
  assert.match(called(app, 'inbox', { key: z.string() }), /key: is an object, and there is no such/)
})

test('a name that cannot be a topic or a file is refused wherever it is given', () => {
  const app = appOf()
  const source = app.topic('t')
  for (const [method, ...rest] of [
    ['topic', {}],
    ['table', { key: z.string(), value: z.string() }],
    ['agent', { source }, async () => {}],
    ['each', { source }, () => {}],
    ['timer', { every: '1s' }, () => {}],
    ['task', {}, () => {}]
  ] as const) {
    assert.match(called(app, method, '../up', ...rest), /the name of an? \w+: "\.\.\/up" must be/)
  }
  assert.throws(() => app.stream(source).groupBy('a b', () => 'x'), /the name of a group: "a b"/)
})

test('times that are none, and outputs and sinks without a topic of their own', () => {
  const app = appOf()
  const source = app.topic('t')
  assert.throws(() => app.timer('t', { every: 0 }, () => {}), /"every" of timer "t" must be at/)
  assert.throws(() => app.timer('t', { every: '-1s' }, () => {}), /"every" of timer "t"/)
  assert.throws(() => app.topic('r', { retention: '-2s' }), /"retention" of r/)
  assert.throws(
    () => app.each('e', { source, timeout: 'soon' as '1s' }, () => {}),
    /"timeout" of e/
  )
  const derived = app.each(
    'derived',
    { source: app.stream(source).groupBy('g', () => 'x') },
    () => 1
  )
  const refused = /agent "derived" reads a derived stream and cannot be/
  assert.throws(
    () => app.each('to', { source, outputs: { derived: derived as never } }, () => {}),
    refused
  )
  assert.throws(() => app.each('from', { source }, () => 1).sink(derived as never), refused)
  assert.throws(() => derived.send({ value: 1 } as never), /send to its source topic/)
})
