// What declarations refuse of those who write without types: names, values, what is missing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { json } from './codec.ts'
import { retry, skip } from './decision.ts'
import { hasCode } from './errors.ts'
import { checkOptions } from './option-check.ts'
import {
  agentShapes,
  eachShapes,
  groupShapes,
  inboxShapes,
  tableShapes,
  taskShapes,
  timerShapes,
  topicShapes
} from './option-shapes.ts'
import { murmur2Partitioner } from './partitioner.ts'
import { hopping, tumbling } from './window.ts'

function refused(run: () => void): string {
  try {
    run()
  } catch (error) {
    assert.ok(hasCode(error, 'TAILRACE_CONFIG_INVALID'), String(error))
    return error.message.replace(/^TAILRACE_CONFIG_INVALID: /, '')
  }
  return assert.fail('it was taken')
}

test('what fits is taken, and what is undefined counts as not given', () => {
  const key = z.string()
  const config = { 'segment.bytes': '1048576' }
  const partitioner = murmur2Partitioner
  const sizes = { partitions: 3, replication: 1, retention: '1d', config }
  const codecs = { codec: json, keyCodec: json }
  const policy = { cleanupPolicy: 'compact,delete', key: undefined }
  checkOptions('x', { value: key, ...sizes, ...codecs, ...policy, partitioner }, topicShapes)
  checkOptions('x', {}, inboxShapes)
  const window = tumbling('1m')
  checkOptions('x', { key, value: key, window, initial: () => 0, scope: 'key' }, tableShapes)
  checkOptions('x', { key, codec: json, partitions: 1 }, groupShapes)
  checkOptions('x', { every: '1s', onLeader: true, immediate: false }, timerShapes)
  checkOptions('x', {}, taskShapes)
  const source = { kind: 'topic', declaration: {} }
  checkOptions('x', { source, onError: skip, help: 'Helps.' }, agentShapes)
  checkOptions('x', { source, timeout: '1s', concurrency: 1, onError: () => skip }, eachShapes)
  checkOptions('x', { source, concurrency: 1_024, order: 'none' }, eachShapes)
})

test('every problem is told at once: name, value, what was expected, the nearest name', () => {
  const given = {
    partitons: 3,
    value: String,
    codec: 'json',
    replication: 0,
    cleanupPolicy: 'compress',
    config: { 'segment.bytes': 1 },
    partitioner: []
  }
  assert.equal(
    refused(() => checkOptions('topic "a"', given, topicShapes)),
    `topic "a" has 7 problems
  partitons: is 3, and there is no such option
    fix: Did you mean partitions?
  value: is a function; expected a Standard Schema, such as one of zod, valibot or arktype
  codec: is "json"; expected a codec: name, encode and decode
  replication: is 0; expected a whole number from 1
  cleanupPolicy: is "compress"; expected 'delete' or 'compact' or 'compact,delete'
  config: is an object; expected texts by the names that the log has for its settings
  partitioner: is an array; expected a partitioner, such as murmur2Partitioner`
  )
})

test('what is needed and not there is told', () => {
  assert.match(
    refused(() => checkOptions('table "t"', { value: z.number() }, tableShapes)),
    /table "t" has one problem\n {2}key: is missing; expected a Standard Schema/
  )
  assert.match(
    refused(() => checkOptions('timer "t"', {}, timerShapes)),
    /every: is missing; expected a duration/
  )
  assert.match(
    refused(() => checkOptions('agent "a"', { sorce: 1 }, agentShapes)),
    /sorce: is 1, .*\n {4}fix: Did you mean source\?\n {2}source: is missing/
  )
})

test('a name that every object has is no option, and a secret is not shown', () => {
  const text = refused(() =>
    checkOptions('topic "a"', { toString: 1, constructor: 2, password: 'hunter2' }, topicShapes)
  )
  assert.match(text, /toString: is 1, and there is no such option/)
  assert.match(text, /password: is \(not shown\)/)
  assert.doesNotMatch(text, /hunter2/)
})

test('a concurrency or an order that cannot be, and a part that is none, are refused', () => {
  const source = { kind: 'topic', declaration: {} }
  for (const concurrency of [0, -1, 1.5, 1_025, '8', Number.NaN]) {
    assert.match(
      refused(() => checkOptions('agent "a"', { source, concurrency }, eachShapes)),
      /concurrency: is .+; expected a whole number from 1 to 1024/
    )
  }
  assert.match(
    refused(() => checkOptions('agent "a"', { source, order: 'any' }, eachShapes)),
    /order: is "any"; expected 'key' or 'none'/
  )
  assert.match(
    refused(() => checkOptions('agent "a"', { source, tables: { a: 'views' } }, agentShapes)),
    /tables: is an object; expected an object of what app\.topic/
  )
})

test('windows and retries refuse what they do not know', () => {
  assert.match(
    refused(() => tumbling('1m', { graec: '1s' } as object)),
    /tumbling window has one problem\n {2}graec: is "1s", .*\n {4}fix: Did you mean grace\?/
  )
  assert.match(
    refused(() => hopping('1m', { evry: '1s' } as object as { every: '1s' })),
    /hopping window has one problem\n {2}evry: is "1s", .*\n {4}fix: Did you mean every\?/
  )
  assert.match(
    refused(() => retry({ time: 3 } as object)),
    /retry has one problem\n {2}time: is 3, .*\n {4}fix: Did you mean times\?/
  )
  assert.match(
    refused(() => retry({ times: -1, otherwise: 'stop' as never })),
    /times: is -1; expected a whole number from 0\n {2}otherwise: is "stop"; expected deadLetter/
  )
})
