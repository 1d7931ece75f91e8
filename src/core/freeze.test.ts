// Freezing: plain data at every depth, and what cannot be frozen is told.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from './errors.ts'
import { depthMax, freezeDeep, isEqualData } from './freeze.ts'

test('plain data is frozen at every depth', () => {
  const value = { a: [{ b: { c: 1 } }], d: null, e: undefined }
  assert.equal(freezeDeep(value), true)
  assert.throws(() => {
    const inner = value.a[0]
    if (inner !== undefined) inner.b.c = 2
  }, TypeError)
  assert.throws(() => value.a.push({ b: { c: 3 } }), TypeError)
  assert.equal(freezeDeep(Object.create(null)), true)
})

test('scalars are plain, except those that no codec keeps as they are', () => {
  for (const value of [1, 'a', true, null, undefined, Number.NaN]) {
    assert.equal(freezeDeep(value), true)
  }
  for (const value of [1n, Symbol('a'), () => 1]) assert.equal(freezeDeep(value), false)
})

test('what is more than plain data is told, at every depth', () => {
  class Point {
    x = 1
  }
  const others = [new Date(), new Map(), new Set(), new Uint8Array(1), new Point(), /a/]
  for (const other of others) {
    assert.equal(freezeDeep(other), false)
    assert.equal(freezeDeep({ list: [1, other] }), false)
  }
})

test('a circle and a bottomless value end in an error', () => {
  const circle: { self?: unknown } = {}
  circle.self = circle
  const isTooDeep = (error: unknown): boolean => hasCode(error, 'TAILRACE_SCHEMA_TOO_DEEP')
  assert.throws(() => freezeDeep(circle), isTooDeep)
  assert.equal(freezeDeep(nested(200)), true)
  assert.equal(freezeDeep(nested(depthMax)), true)
  assert.throws(() => freezeDeep(nested(depthMax + 2)), isTooDeep)
})

function nested(depth: number): object {
  let value: object = {}
  for (let level = 0; level < depth; level++) value = { value }
  return value
}

test('data is compared by what it holds', () => {
  const equal: readonly (readonly [unknown, unknown])[] = [
    [
      { a: 1, b: [1, 2] },
      { b: [1, 2], a: 1 }
    ],
    [{ a: 1, b: undefined }, { a: 1 }],
    [Number.NaN, Number.NaN],
    [new Date(5), new Date(5)],
    [Uint8Array.of(1, 2), Uint8Array.of(1, 2)],
    [new Map([['a', { b: 1 }]]), new Map([['a', { b: 1 }]])],
    [new Set([1]), new Set([1])]
  ]
  for (const [a, b] of equal) assert.equal(isEqualData(a, b), true)
  const different: readonly (readonly [unknown, unknown])[] = [
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, { a: 1, b: 1 }],
    [
      [1, 2],
      [2, 1]
    ],
    [[], {}],
    ['1', 1],
    [null, {}],
    [0, -0],
    [new Date(5), new Date(6)],
    [new Date(5), new Date(5).toISOString()],
    [Uint8Array.of(1), Uint8Array.of(2)],
    [Uint8Array.of(1), Uint8Array.of(1, 2)],
    [new Map([['a', 1]]), new Map([['a', 2]])]
  ]
  for (const [a, b] of different) assert.equal(isEqualData(a, b), false)
})
