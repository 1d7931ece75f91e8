// The proxy of the fault tests itself: what it loses, holds, cuts and refuses.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { javaTool } from './broker.ts'
import { Proxy, proxiedBroker } from './proxy.ts'
import { type Api, apis } from './proxy-faults.ts'
import { Frames } from './proxy-frames.ts'

const timeout = 120_000

/** Stands for a broker: answers every request by its correlation id, and counts them. */
class EchoBroker {
  readonly seen: number[] = []
  readonly #server = createServer((socket) => {
    const frames = new Frames()
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      for (const frame of frames.push(chunk)) {
        const correlation = frame.readInt32BE(8)
        this.seen.push(correlation)
        const answer = Buffer.alloc(12)
        answer.writeInt32BE(8, 0)
        answer.writeInt32BE(correlation, 4)
        socket.write(answer)
      }
    })
  })

  async port(t: TestContext): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    t.after(() => this.#server.close())
    return (this.#server.address() as AddressInfo).port
  }
}

/** Stands for a client: sends requests, and hears correlation ids and the end. */
class Client {
  readonly answers: number[] = []
  readonly ended: Promise<void>
  readonly #socket: Socket
  readonly #waiting = new Set<() => void>()

  constructor(t: TestContext, port: number) {
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true })
    t.after(() => this.#socket.destroy())
    const frames = new Frames()
    this.#socket.on('data', (chunk: Buffer) => {
      for (const frame of frames.push(chunk)) this.answers.push(frame.readInt32BE(4))
      for (const wake of this.#waiting) wake()
    })
    this.#socket.on('error', () => undefined)
    this.ended = new Promise((resolve) => this.#socket.once('close', () => resolve()))
  }

  send(api: Api, correlation: number, padding = 0): void {
    const frame = Buffer.alloc(12 + padding)
    frame.writeInt32BE(8 + padding, 0)
    frame.writeInt16BE(apis[api], 4)
    frame.writeInt32BE(correlation, 8)
    this.#socket.write(frame)
  }

  /** Resolves when so many answers are there. */
  async heard(count: number): Promise<readonly number[]> {
    while (this.answers.length < count) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake)
          resolve()
        }
        this.#waiting.add(wake)
      })
    }
    return this.answers
  }
}

async function scene(t: TestContext): Promise<{ broker: EchoBroker; proxy: Proxy }> {
  const broker = new EchoBroker()
  const proxy = await Proxy.listen(1)
  t.after(() => proxy.close())
  proxy.forwardTo([await broker.port(t)])
  return { broker, proxy }
}

const portOf = (proxy: Proxy): number => proxy.ports[0] ?? assert.fail('it has no port')

test('frames come whole, however the bytes were cut', () => {
  const stream = Buffer.concat(
    [0, 3, 70_000].map((size) => {
      const frame = Buffer.alloc(4 + size, size & 0xff)
      frame.writeInt32BE(size, 0)
      return frame
    })
  )
  for (const step of [1, 2, 5, 7, 4096, stream.length]) {
    const frames = new Frames()
    const found: Buffer[] = []
    for (let at = 0; at < stream.length; at += step) {
      found.push(...frames.push(stream.subarray(at, at + step)))
    }
    assert.deepEqual(
      found.map((frame) => frame.length - 4),
      [0, 3, 70_000]
    )
    assert.ok(Buffer.concat(found).equals(stream))
  }
})

test('what no fault is for passes, in order', { timeout }, async (t) => {
  const { proxy } = await scene(t)
  const client = new Client(t, portOf(proxy))
  client.send('Metadata', 1)
  client.send('Produce', 2, 300_000)
  client.send('EndTxn', 3)
  assert.deepEqual(await client.heard(3), [1, 2, 3])
  assert.equal(proxy.seen('Produce'), 1)
  assert.equal(proxy.seen('Fetch'), 0)
})

test('a lost answer was done, and its connection ends', { timeout }, async (t) => {
  const { broker, proxy } = await scene(t)
  const fault = proxy.next('EndTxn', 'lose-answer', { skip: 1 })
  const client = new Client(t, portOf(proxy))
  client.send('EndTxn', 1)
  client.send('Metadata', 2)
  client.send('EndTxn', 3)
  await client.ended
  await fault.happened
  assert.deepEqual(client.answers, [1, 2])
  assert.deepEqual(broker.seen, [1, 2, 3])
  const again = new Client(t, portOf(proxy))
  again.send('EndTxn', 4)
  assert.deepEqual(await again.heard(1), [4])
})

test('a lost request was not done', { timeout }, async (t) => {
  const { broker, proxy } = await scene(t)
  const fault = proxy.next('TxnOffsetCommit', 'lose-request')
  const client = new Client(t, portOf(proxy))
  client.send('TxnOffsetCommit', 1)
  await client.ended
  await fault.happened
  assert.deepEqual(broker.seen, [])
})

test('a swallowed answer leaves its connection', { timeout }, async (t) => {
  const { broker, proxy } = await scene(t)
  proxy.next('JoinGroup', 'swallow-answer', { count: 2 })
  const client = new Client(t, portOf(proxy))
  for (const correlation of [1, 2, 3]) client.send('JoinGroup', correlation)
  assert.deepEqual(await client.heard(1), [3])
  assert.deepEqual(broker.seen, [1, 2, 3])
})

test('a held request and what follows wait for their release', { timeout }, async (t) => {
  const { broker, proxy } = await scene(t)
  const fault = proxy.next('EndTxn', 'hold-request')
  const client = new Client(t, portOf(proxy))
  client.send('EndTxn', 1)
  client.send('Metadata', 2)
  await fault.happened
  const other = new Client(t, portOf(proxy))
  other.send('Metadata', 3)
  await other.heard(1)
  assert.deepEqual(broker.seen, [3])
  fault.release()
  assert.deepEqual(await client.heard(2), [1, 2])
})

test('a held answer was done before its release', { timeout }, async (t) => {
  const { broker, proxy } = await scene(t)
  const fault = proxy.next('Produce', 'hold-answer')
  const client = new Client(t, portOf(proxy))
  client.send('Produce', 1)
  await fault.happened
  assert.deepEqual(broker.seen, [1])
  assert.deepEqual(client.answers, [])
  fault.release()
  assert.deepEqual(await client.heard(1), [1])
})

test('it cuts, refuses and accepts again', { timeout }, async (t) => {
  const { proxy } = await scene(t)
  const client = new Client(t, portOf(proxy))
  client.send('Metadata', 1)
  await client.heard(1)
  proxy.cut()
  await client.ended
  await proxy.refuse()
  const refused = connect({ host: '127.0.0.1', port: portOf(proxy) })
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ECONNREFUSED')
  await proxy.accept()
  const late = new Client(t, portOf(proxy))
  late.send('Metadata', 2)
  assert.deepEqual(await late.heard(1), [2])
})

test('frozen connections stay and carry nothing', { timeout }, async (t) => {
  const { broker, proxy } = await scene(t)
  const client = new Client(t, portOf(proxy))
  client.send('Metadata', 1)
  await client.heard(1)
  proxy.freeze()
  client.send('Metadata', 2)
  // Far more turns of the loop than the first request took to get there.
  for (let i = 0; i < 200; i++) await turn()
  assert.deepEqual(broker.seen, [1])
  proxy.thaw()
  assert.deepEqual(await client.heard(2), [1, 2])
})

test('real Kafka sends its clients through it', { timeout: 240_000 }, async () => {
  await using proxied = await proxiedBroker({ nodes: 1 })
  const { cluster, proxy, servers } = proxied
  const tool = 'org.apache.kafka.tools.TopicCommand'
  const at = ['--bootstrap-server', servers]
  const fault = proxy.next('CreateTopics', 'lose-answer')
  const { code, stdout } = await javaTool(tool, [...at, '--create', '--topic', 'once'], {
    isExitCodeChecked: false
  })
  await fault.happened
  // Java's client asked again, and heard of its own first try.
  assert.equal(proxy.seen('CreateTopics'), 2)
  assert.match(stdout, /already exists/)
  assert.notEqual(code, 0)
  const listed = await javaTool(tool, ['--bootstrap-server', cluster.servers(), '--list'])
  assert.match(listed.stdout, /^once$/m)
})
