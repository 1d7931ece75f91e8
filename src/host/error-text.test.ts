// Errors at a terminal: code, message, hint and cause, and only the user's own lines of a stack.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { TailraceError } from '../core/errors.ts'
import { errorData, errorText } from './error-text.ts'
import { exitCodeOf } from './exit-codes.ts'

test('an error of ours is its message and its hint, without a stack', () => {
  const error = new TailraceError('TAILRACE_STATE_LOCKED', 'the directory is in use')
  assert.equal(
    errorText(error),
    'TAILRACE_STATE_LOCKED: the directory is in use\n' +
      '  hint: Stop it, or name another directory with --datadir.'
  )
})

test('the cause is told below it, ours again without a stack', () => {
  const inner = new TailraceError('TAILRACE_CONFIG_INVALID', 'no id', { hint: 'Give one.' })
  const error = new TailraceError('TAILRACE_CONFIG_APP_THREW', 'app.ts threw', { cause: inner })
  assert.equal(
    errorText(error),
    'TAILRACE_CONFIG_APP_THREW: app.ts threw\n' +
      '  hint: See the cause; the module must load before anything can start.\n' +
      '  cause: TAILRACE_CONFIG_INVALID: no id\n' +
      '    hint: Give one.'
  )
})

test('an error of the system is a line; frames of Node and of ours are left out', () => {
  let missing: unknown
  try {
    readFileSync('/nowhere/at/all')
  } catch (error) {
    missing = error
  }
  const error = new TailraceError('TAILRACE_STATE_UNWRITABLE', 'no', { cause: missing })
  assert.match(errorText(error), /cause: Error: ENOENT: no such file or directory, [^\n]*$/)
})

test('an error of the user keeps the lines of the user', () => {
  const error = new RangeError('too far', { cause: new Error('because') })
  error.stack = `RangeError: too far\n    at run (file:///home/me/app.ts:9:1)\n    at node:net:1:1`
  assert.match(
    errorText(error),
    /^RangeError: too far\n {4}at run \(file:.*app\.ts:9:1\)\n {2}cause: Error: because/
  )
  assert.equal(errorText('a text was thrown'), 'a text was thrown')
})

test('as data it has code, message, hint and context', () => {
  const context = { topic: 'a' }
  const error = new TailraceError('TAILRACE_TABLE_NOT_READY', 'soon', { context })
  assert.deepEqual(errorData(error), {
    code: 'TAILRACE_TABLE_NOT_READY',
    message: 'TAILRACE_TABLE_NOT_READY: soon',
    hint: 'Ask again in a moment.',
    context
  })
  assert.deepEqual(errorData(new Error('x')), { message: 'x' })
})

test('a mistake in the configuration is wrong use, everything else a crash', () => {
  assert.equal(exitCodeOf(new TailraceError('TAILRACE_CONFIG_INVALID', 'x')), 64)
  assert.equal(exitCodeOf(new TailraceError('TAILRACE_TRANSPORT_UNKNOWN_URL', 'x')), 64)
  assert.equal(exitCodeOf(new TailraceError('TAILRACE_WEB_PORT_TAKEN', 'x')), 1)
  assert.equal(exitCodeOf(new Error('x')), 1)
  assert.equal(exitCodeOf(undefined), 1)
})
