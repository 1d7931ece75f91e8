// A kill point is armed only by its exact name; production refuses it with the other options.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TailraceError } from '../core/errors.ts'
import { armFailpoints } from './failpoints.ts'

function problemOf(environment: Readonly<Record<string, string>>): string {
  try {
    armFailpoints(environment)
  } catch (error) {
    assert.ok(error instanceof TailraceError)
    assert.equal(error.code, 'TAILRACE_CONFIG_INVALID')
    return error.message
  }
  return 'none'
}

test('nothing is armed unless it is asked for', () => {
  assert.equal(problemOf({}), 'none')
  assert.equal(problemOf({ TAILRACE_FAILPOINT: '' }), 'none')
})

test('an unknown label is refused with the nearest known one', () => {
  const message = problemOf({ TAILRACE_FAILPOINT: 'commit.endet:1' })
  assert.match(message, /"commit\.endet", which is no kill point; did you mean "commit\.ended"\?/)
  assert.match(problemOf({ TAILRACE_FAILPOINT: 'toString:1' }), /"toString"/)
})

test('the count is a whole number from 1', () => {
  for (const text of [
    'commit.ended',
    'commit.ended:',
    'commit.ended:0',
    'commit.ended:x',
    'commit.ended:1:go'
  ]) {
    assert.match(problemOf({ TAILRACE_FAILPOINT: text }), /expected label:n, n from 1/, text)
  }
})
