// Many sends before anybody knows the topic: the log is asked about it once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApp } from 'tailrace'
import { realClock } from '../../src/runtime/real-clock.ts'
import { MemoryBroker } from '../../src/transport/memory/broker.ts'
import { createMemoryTransport } from '../../src/transport/memory/index.ts'

test('a thousand first sends look for their topic once, and make it once', async (t) => {
  const transport = createMemoryTransport(new MemoryBroker({ clock: realClock }))
  await transport.open()
  const admin = transport.admin()
  t.mock.method(transport, 'admin', () => admin)
  const describe = t.mock.method(admin, 'describe')
  const create = t.mock.method(admin, 'create')
  const app = createApp({ id: 'first-sends', transport: () => transport })
  t.after(() => app.runner.close())
  const topic = app.topic('greetings', { partitions: 1 })
  const sent = Array.from({ length: 1_000 }, () => topic.send({ value: 'hello' }))
  const offsets = (await Promise.all(sent)).map(({ offset }) => Number(offset))
  assert.equal(new Set(offsets).size, 1_000)
  assert.deepEqual([describe.mock.callCount(), create.mock.callCount()], [1, 1])
})
