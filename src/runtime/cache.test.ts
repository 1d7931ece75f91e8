// When the cache can answer for the store: only while nothing of a window was ever left out.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CacheBudget, ShardCache } from './cache.ts'
import { absent, Entry } from './entry.ts'

function cacheOf(bytesMax = 1e6): { budget: CacheBudget; cache: ShardCache } {
  const budget = new CacheBudget(bytesMax)
  return { budget, cache: new ShardCache(budget) }
}

function row(key: string, windowStart: number): Entry {
  return new Entry(key, key, windowStart, absent)
}

const isStored = true

test('a window the store has no rows of is whole in the cache', () => {
  const { cache } = cacheOf()
  assert.equal(cache.isWhole(0), false)
  cache.add(row('a', 0), { isStored: false })
  assert.equal(cache.isWhole(0), true)
  // The store holds the first row by now; the window was never left out of the cache.
  cache.add(row('b', 0), { isStored })
  assert.equal(cache.isWhole(0), true)
  assert.equal(cache.isWhole(60_000), false)
})

test('a window the store had rows of is never taken for whole', () => {
  const { cache } = cacheOf()
  cache.add(row('a', 0), { isStored })
  cache.add(row('b', 0), { isStored: false })
  assert.equal(cache.isWhole(0), false)
})

test('a window of which a row was evicted must be asked for in the store', () => {
  const { cache, budget } = cacheOf(1)
  const kept = row('kept', 0)
  kept.isDirty = true
  const gone = row('gone', 0)
  gone.isRecent = false
  cache.add(kept, { isStored: false })
  cache.add(gone, { isStored: false })
  assert.equal(budget.makeRoom(), false)
  assert.equal(cache.get(0, 'gone'), undefined)
  assert.equal(cache.get(0, 'kept'), kept)
  assert.equal(cache.isWhole(0), false)
})

test('a window that left the cache begins again by what the store holds', () => {
  const { cache } = cacheOf()
  const only = row('a', 0)
  cache.add(only, { isStored: false })
  cache.forgetBefore(1)
  assert.equal(cache.bytes, 0)
  assert.equal(cache.isWhole(0), false)
  cache.add(row('a', 0), { isStored })
  assert.equal(cache.isWhole(0), false)
})

test('expiry leaves rows that a commit still needs, and says that others are gone', () => {
  const { cache } = cacheOf()
  const held = row('held', 0)
  held.isCommitting = true
  cache.add(held, { isStored: false })
  cache.add(row('clean', 0), { isStored: false })
  cache.forgetBefore(1)
  assert.equal(cache.get(0, 'held'), held)
  assert.equal(cache.get(0, 'clean'), undefined)
  assert.equal(cache.isWhole(0), false)
})

test('a cache that has left the budget counts no more, whoever still reads through it', () => {
  const { cache, budget } = cacheOf()
  const kept = row('kept', 0)
  cache.add(kept, { isStored })
  cache.close()
  assert.equal(budget.bytes, 0)
  const late = row('late', 0)
  cache.add(late, { isStored })
  cache.resize(late, 1_000)
  cache.forgetBefore(1)
  assert.equal(budget.bytes, 0)
})
