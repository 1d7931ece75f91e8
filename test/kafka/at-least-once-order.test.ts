// An at-least-once producer on scripted brokers: what it makes of answers that say too little.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/core/errors.ts'
import { openAtLeastOnce } from '../../src/transport/kafka/at-least-once.ts'
import { WireWriter } from '../../src/transport/kafka/produce-wire.ts'
import { VirtualClock } from '../../src/transport/memory/virtual-clock.ts'
import { ScriptedBrokers } from './scripted-brokers.ts'

const duplicate = 46

test('a batch whose place is forgotten is sent once more with the next commit', async () => {
  const clock = new VirtualClock()
  const brokers = new ScriptedBrokers(clock)
  brokers.partition('t', 0)
  brokers.answerOther = () => new WireWriter().int32(0).int16(0).bigint64(7n).int16(0).end().take()
  const producer = await clock.settle(openAtLeastOnce({ cluster: brokers, clock }))
  const record = { topic: 't', partition: 0, key: null, value: Buffer.from('a'), timestamp: 1 }
  brokers.script = ({ count, key }) => (key === 0 && count === 0 ? duplicate : 'pass')
  await producer.begin()
  producer.append('task', record)
  await clock.settle(
    assert.rejects(
      producer.end(),
      (error) => hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE') && !error.isDefinite
    )
  )
  await producer.begin()
  producer.append('task', record)
  const { ends } = await clock.settle(producer.end())
  assert.equal(ends.length, 1)
  await producer.close()
})
