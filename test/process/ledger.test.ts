// The comparison itself: it must see what it is there to see.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foldOf, outputProblems, type SentVisit } from './ledger.ts'

const sent: readonly SentVisit[] = [0, 1, 2, 3].map((id) => ({
  id,
  user: 'u',
  page: `p${id % 2}`,
  timestamp: id * 60_000
}))
const seen = sent.map(({ id, page }) => ({ id, page, count: Math.floor(id / 2) + 1 }))

test('the fold counts by user, by page, and by page and minute', () => {
  assert.deepEqual(foldOf(sent), {
    users: { u: { count: 4, last: 3 } },
    pages: { p0: { count: 2, sum: 2 }, p1: { count: 2, sum: 4 } },
    views: { 'p0@0': 1, 'p0@120000': 1, 'p1@60000': 1, 'p1@180000': 1 }
  })
})

test('loss, doubling, strangers and numbers out of step are each seen', () => {
  assert.deepEqual(outputProblems(sent, seen), [])
  assert.match(outputProblems(sent, seen.slice(0, 3)).join(), /1 lost, such as 3/)
  assert.match(outputProblems(sent, [...seen, ...seen.slice(0, 1)]).join(), /1 doubled/)
  assert.match(outputProblems(sent.slice(0, 3), seen).join(), /nobody sent/)
  const restarted = seen.map((one) => ({ ...one, count: 1 }))
  assert.match(outputProblems(sent, restarted).join(), /number 2 of page p0 is 1/)
})
