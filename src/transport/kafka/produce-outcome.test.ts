// Every code that a producer tells apart.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Asked, type Outcome, outcomeOf } from './produce-outcome.ts'
import { failure } from './protocol-failure.ts'

const plain = { isHead: true, isTransactional: false, recordCount: 2, isUncertain: false }

function outcome(code: number, asked: Partial<Asked> = {}): Outcome {
  return outcomeOf(code, { ...plain, isRetriable: failure(code, 'x').isRetriable, ...asked })
}

test('what passes by itself goes again, and what does not is rejected', () => {
  for (const code of [2, 3, 5, 6, 7, 13, 19, 20, 51, 56, 74, 89])
    assert.equal(outcome(code), 'again')
  for (const code of [17, 21, 29, 31, 35, 42, 48, 49, 53, 55, 90, 120, -1]) {
    assert.equal(outcome(code), 'rejected', `${code}`)
  }
})

test('a duplicate is in the log', () => {
  assert.equal(outcome(0), 'accepted')
  assert.equal(outcome(46), 'accepted')
})

test('too large is split while there is something to split', () => {
  for (const code of [10, 18]) {
    assert.equal(outcome(code), 'split')
    assert.equal(outcome(code, { recordCount: 1 }), 'rejected')
    // It may be in the log: its halves would be there twice.
    assert.equal(outcome(code, { isUncertain: true }), 'rejected')
    assert.equal(outcome(code, { isTransactional: true }), 'split')
  }
})

test('one bad record is set apart, but not in a transaction, which is lost with it', () => {
  for (const code of [32, 87]) {
    assert.equal(outcome(code), 'split')
    assert.equal(outcome(code, { isTransactional: true }), 'rejected')
  }
})

test('out of order behind one that failed is expected; at the head the sequence restarts', () => {
  for (const code of [45, 59]) {
    assert.equal(outcome(code, { isHead: false }), 'again')
    assert.equal(outcome(code), 'restart')
    assert.equal(outcome(code, { isTransactional: true }), 'rejected')
  }
  assert.equal(outcome(47), 'restart')
  assert.equal(outcome(47, { isTransactional: true }), 'rejected')
})
