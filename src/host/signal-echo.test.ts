// One Ctrl-C under `npm run` and `npx` arrives twice, and must not stop a worker cold.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SignalEcho } from './signal-echo.ts'

test('an INT right after an INT is the same Ctrl-C', () => {
  const echo = new SignalEcho()
  assert.equal(echo.isEcho('SIGINT', 1_000), false)
  assert.equal(echo.isEcho('SIGINT', 1_008), true)
})

test('a later one is a second Ctrl-C, also behind an echo', () => {
  const echo = new SignalEcho()
  assert.equal(echo.isEcho('SIGINT', 1_000), false)
  assert.equal(echo.isEcho('SIGINT', 1_200), true)
  assert.equal(echo.isEcho('SIGINT', 1_400), false)
})

test('nobody hands on a TERM: a second one is always meant', () => {
  const echo = new SignalEcho()
  for (const signal of ['SIGTERM', 'SIGTERM', 'SIGINT', 'SIGTERM'] as const) {
    assert.equal(echo.isEcho(signal, 1_000), false, signal)
  }
})
