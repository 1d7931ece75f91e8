// Finding brokers: who answers, who does not, and what is said of it in time.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { hasCode } from '../../src/core/errors.ts'
import { realClock } from '../../src/runtime/real-clock.ts'
import { BrokerLinks } from '../../src/transport/kafka/broker-links.ts'
import { Cluster } from '../../src/transport/kafka/cluster.ts'
import { createKafkaTransport } from '../../src/transport/kafka/index.ts'
import { metadataV12 } from '../../src/transport/kafka/library.ts'
import { Link } from '../../src/transport/kafka/link.ts'
import { KafkaFailure, local } from '../../src/transport/kafka/protocol-failure.ts'
import { plaintext } from '../../src/transport/kafka/security.ts'
import { testBroker } from './broker.ts'

const limits = { timeout: 60_000 }

interface Listener extends AsyncDisposable {
  readonly port: number
}

/** A port where somebody listens who is no broker. */
async function listener(onSocket: (socket: Socket) => void): Promise<Listener> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    }
  }
}

async function refusalOf(url: string): Promise<Error> {
  const transport = createKafkaTransport({ url })
  const began = performance.now()
  try {
    await transport.open()
    return assert.fail('it was opened')
  } catch (error) {
    assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE'), String(error))
    const tookMs = performance.now() - began
    assert.ok(tookMs < 8_000, `it took ${tookMs} ms`)
    return error
  } finally {
    await transport.close()
  }
}

test('where nobody listens, or nobody answers, host and port are named', limits, async () => {
  const gone = await listener(() => undefined)
  await gone[Symbol.asyncDispose]()
  await using silent = await listener(() => undefined)
  await using rude = await listener((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  for (const { port } of [gone, silent, rude]) {
    const { message } = await refusalOf(`kafka://127.0.0.1:${port}`)
    assert.match(message, new RegExp(`127\\.0\\.0\\.1:${port}`))
  }
})

test('one address that answers is enough, whoever else is silent', limits, async () => {
  await using broker = await testBroker()
  await using silent = await listener(() => undefined)
  const url = `kafka://127.0.0.1:1,127.0.0.1:${silent.port},${broker.servers}`
  const transport = createKafkaTransport({ url })
  try {
    await transport.open()
    assert.deepEqual(await transport.admin().describe(['nowhere']), [])
  } finally {
    await transport.close()
  }
})

test(
  'a connection without a first answer is given up, and may be tried again',
  limits,
  async () => {
    await using silent = await listener(() => undefined)
    const parts = { security: plaintext, clientId: 'cluster-test', clock: realClock }
    const { port } = silent
    const opening = Link.open({
      broker: -1,
      host: '127.0.0.1',
      port,
      connectTimeoutMs: 200,
      ...parts
    })
    await assert.rejects(opening, (error) => {
      assert.ok(error instanceof KafkaFailure && error.code === local.timedOut, String(error))
      return error.isRetriable && error.isOutcomeUnknown
    })
  }
)

test('each purpose has a connection of its own, and a closed one is replaced', limits, async () => {
  await using broker = await testBroker()
  const brokers = [{ host: broker.host, port: broker.port }]
  const parts = { brokers, security: plaintext, clientId: 'cluster-test', clock: realClock }
  const cluster = new Cluster(parts)
  try {
    await cluster.connect()
    const first = await cluster.any()
    const asked = first.call(metadataV12.api, [], false)
    first.close()
    await assert.rejects(asked, { codeName: 'CLOSED' })
    const second = await cluster.link(first.broker, 'control')
    assert.equal(second.isOpen, true)
    assert.equal(await cluster.link(first.broker, 'control'), second)
    assert.notEqual(await cluster.link(first.broker, 'produce'), second)
  } finally {
    await cluster.close()
  }
})

test(
  'askers of many topics share few questions, and a closed cluster answers none',
  limits,
  async () => {
    await using broker = await testBroker()
    const transport = createKafkaTransport({ url: broker.url })
    try {
      await transport.open()
      const prefix = `cluster-${randomBytes(4).toString('hex')}`
      const names = Array.from({ length: 20 }, (_, index) => `${prefix}-${index}`)
      const settings = {
        cleanupPolicy: 'delete',
        retentionMs: -1,
        timestampType: 'create',
        extra: {}
      } as const
      const admin = transport.admin()
      await admin.create(names.map((name) => ({ name, partitions: 3, replication: -1, settings })))
      const places = names.flatMap((topic) => [0, 1, 2].map((partition) => ({ topic, partition })))
      assert.equal((await admin.ranges(places)).length, 60)
      const safety = await admin.safety?.(names)
      assert.deepEqual(safety, { servers: 1, replication: 1, insyncMin: 1 })
      await admin.delete(names)
      assert.deepEqual(await admin.describe(names), [])
      await transport.close()
      await assert.rejects(admin.describe(names), { code: 'TAILRACE_TRANSPORT_CLOSED' })
    } finally {
      await transport.close()
    }
  }
)

test('what is under way to a broker that moves can be asked again', limits, async () => {
  await using broker = await testBroker()
  const { host, port } = broker
  const links = new BrokerLinks({ clientId: 'test', security: plaintext, clock: realClock })
  try {
    const link = await links.to(0, { host, port }, 'control')
    const asking = link.call(metadataV12.api, [], false)
    const lost = assert.rejects(asking, (error) => {
      return error instanceof KafkaFailure && error.isRetriable && error.isOutcomeUnknown
    })
    await links.to(0, { host: 'localhost', port }, 'control')
    await lost
  } finally {
    await links.close()
  }
})
