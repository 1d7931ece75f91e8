// Unit tests of level-meta.ts; whose a store is, is tested where it is opened, in level.test.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCheckpoint, serializeCheckpoint } from './level-meta.ts'

test('a checkpoint reads back equal', () => {
  const checkpoint = { topicId: 'größe-1', offset: 2 ** 52, leaderEpoch: -1 }
  assert.deepEqual(parseCheckpoint(serializeCheckpoint(checkpoint)), checkpoint)
})

test('what is no checkpoint is none', () => {
  const wrong = [
    '',
    'null',
    '7',
    '{"topicId":"a","offset":1',
    '{"offset":1,"leaderEpoch":0}',
    '{"topicId":"a","offset":"1","leaderEpoch":0}',
    '{"topicId":"a","offset":1.5,"leaderEpoch":0}',
    '{"topicId":"a","offset":1}'
  ]
  for (const text of wrong) assert.equal(parseCheckpoint(Buffer.from(text)), undefined, text)
})
