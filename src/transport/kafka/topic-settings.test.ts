// Tests of the settings of a topic, to Kafka's names and back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TopicSettings } from '../../port/transport.ts'
import { configsOf, settingsOf } from './topic-settings.ts'

const settings: TopicSettings = {
  cleanupPolicy: 'compact,delete',
  retentionMs: 5,
  timestampType: 'append',
  extra: { 'max.message.bytes': '7' }
}

test('settings come back as they were given', () => {
  const entries = configsOf(settings).map((one) => ({ ...one, configSource: 1 }))
  assert.deepEqual(settingsOf(entries), settings)
})

test('defaults of the broker are no settings of the topic', () => {
  const found = settingsOf([
    { name: 'cleanup.policy', value: 'delete,compact', configSource: 5 },
    { name: 'retention.ms', value: '604800000', configSource: 5 },
    { name: 'segment.ms', value: '9', configSource: 5 },
    { name: 'secret', value: null, configSource: 1 }
  ])
  assert.deepEqual(found, {
    cleanupPolicy: 'compact,delete',
    retentionMs: 604_800_000,
    timestampType: 'create',
    extra: {}
  })
})

test('what is said by Kafka’s own name is stronger', () => {
  const configs = configsOf({ ...settings, extra: { 'retention.ms': '-1' } })
  assert.deepEqual(
    configs.filter(({ name }) => name === 'retention.ms'),
    [{ name: 'retention.ms', value: '-1' }]
  )
})
