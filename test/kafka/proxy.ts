// A TCP proxy between a client and Kafka that loses, holds and cuts what a test chooses.
//
// No answer is rewritten: the brokers behind it have a door of their own that advertises its ports.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { after, before } from 'node:test'
import type { ClusterOptions, KafkaCluster } from '../../scripts/kafka/cluster.ts'
import { freePorts } from '../../scripts/kafka/ports.ts'
import { ownBroker } from './broker.ts'
import { type Api, apis, Fault, type FaultKind, type FaultOptions } from './proxy-faults.ts'
import { Frames } from './proxy-frames.ts'

export interface ProxiedBroker {
  readonly cluster: KafkaCluster
  readonly proxy: Proxy
  /** Through the proxy. */
  readonly url: string
  readonly servers: string
  [Symbol.asyncDispose](): Promise<void>
}

/** A broker, or three, of the test's own behind a proxy; its door `plain` goes past the proxy. */
export async function proxiedBroker(options: ClusterOptions = {}): Promise<ProxiedBroker> {
  const proxy = await Proxy.listen(options.nodes ?? 1)
  try {
    const cluster = await ownBroker({ ...options, proxyPorts: proxy.ports })
    proxy.forwardTo(cluster.nodes.map(({ id }) => cluster.port('proxied', id)))
    const servers = proxy.ports.map((port) => `127.0.0.1:${port}`).join(',')
    return {
      cluster,
      proxy,
      servers,
      url: `kafka://${servers}`,
      [Symbol.asyncDispose]: async () => {
        await proxy.close()
        await cluster.stop()
      }
    }
  } catch (error) {
    await proxy.close()
    throw error
  }
}

const startMsMax = 240_000

/**
 * One for the tests of a file or a suite: begun before them, gone after them. Hooks of a file run
 * beside each other, so one that needs the broker begins it itself.
 */
export function proxiedBrokerOfTests(options: ClusterOptions = {}): ProxiedBroker {
  let broker: ProxiedBroker | undefined
  const running = (): ProxiedBroker => broker ?? assert.fail('the broker has not been started')
  before(
    async () => {
      broker = await proxiedBroker(options)
    },
    { timeout: startMsMax }
  )
  after(() => broker?.[Symbol.asyncDispose]())
  return {
    get cluster() {
      return running().cluster
    },
    get proxy() {
      return running().proxy
    },
    get url() {
      return running().url
    },
    get servers() {
      return running().servers
    },
    [Symbol.asyncDispose]: () => running()[Symbol.asyncDispose]()
  }
}

export class Proxy {
  readonly ports: readonly number[]
  readonly #servers: readonly Server[]
  readonly #faults: Fault[] = []
  readonly #pairs = new Set<Pair>()
  readonly #seen = new Map<number, number>()
  #targets: readonly number[] = []
  #isFrozen = false

  private constructor(ports: readonly number[]) {
    this.ports = ports
    this.#servers = ports.map((_, index) =>
      createServer((client) => this.#connected(client, index))
    )
  }

  static async listen(count: number): Promise<Proxy> {
    const proxy = new Proxy(await freePorts(count))
    await proxy.accept()
    return proxy
  }

  /** Where each port leads, on this machine. */
  forwardTo(targets: readonly number[]): void {
    this.#targets = targets
  }

  /** Harms the next request of this kind, on whichever connection it comes. */
  next(api: Api, kind: FaultKind, options: FaultOptions = {}): Fault {
    const fault = new Fault(api, kind, options)
    this.#faults.push(fault)
    return fault
  }

  /** Requests of this kind that came from clients so far. */
  seen(api: Api): number {
    return this.#seen.get(apis[api]) ?? 0
  }

  /** Ends every connection; new ones are accepted. */
  cut(): void {
    for (const pair of this.#pairs) pair.cut()
  }

  /** As a network that drops everything: connections stay, nothing passes until `thaw`. */
  freeze(): void {
    this.#isFrozen = true
    for (const pair of this.#pairs) pair.freeze()
  }

  thaw(): void {
    this.#isFrozen = false
    for (const pair of this.#pairs) pair.thaw()
  }

  /** As brokers that are gone: connections end, and new ones are refused until `accept`. */
  async refuse(): Promise<void> {
    const closing = this.#servers.filter((server) => server.listening)
    const closed = closing.map((server) => once(server, 'close'))
    for (const server of closing) server.close()
    this.cut()
    await Promise.all(closed)
  }

  async accept(): Promise<void> {
    await Promise.all(
      this.#servers.map(async (server, index) => {
        if (server.listening) return
        server.listen({ host: '127.0.0.1', port: this.ports[index] })
        await once(server, 'listening')
      })
    )
  }

  async close(): Promise<void> {
    for (const fault of this.#faults) fault.end()
    await this.refuse()
  }

  #connected(client: Socket, index: number): void {
    const pair = new Pair(client, this.#targets[index] ?? 0, (key) => this.#faultOf(key))
    this.#pairs.add(pair)
    client.once('close', () => this.#pairs.delete(pair))
    if (this.#isFrozen) pair.freeze()
  }

  #faultOf(key: number): Fault | undefined {
    this.#seen.set(key, (this.#seen.get(key) ?? 0) + 1)
    return this.#faults.find((fault) => fault.takes(key))
  }
}

/** A client's connection and the broker's that belongs to it. */
class Pair {
  readonly #client: Socket
  readonly #broker: Socket
  readonly #target: number
  readonly #faultOf: (key: number) => Fault | undefined
  /** By correlation id. */
  readonly #struck = new Map<number, Fault>()
  #isCut = false

  constructor(client: Socket, target: number, faultOf: (key: number) => Fault | undefined) {
    this.#client = client
    this.#target = target
    this.#broker = connect({ host: '127.0.0.1', port: target, noDelay: true })
    this.#faultOf = faultOf
    client.setNoDelay(true)
    for (const socket of [client, this.#broker]) {
      socket.on('error', () => this.cut())
      socket.once('close', () => this.cut())
    }
    this.#pump(client, this.#broker, (frame) => this.#request(frame))
    this.#pump(this.#broker, client, (frame) => this.#answer(frame))
  }

  cut(): void {
    this.#isCut = true
    // What was written goes out before the end: a broker's last answer is not lost by accident.
    this.#client.destroySoon()
    this.#broker.destroySoon()
  }

  freeze(): void {
    this.#client.pause()
    this.#broker.pause()
  }

  thaw(): void {
    this.#client.resume()
    this.#broker.resume()
  }

  /** Frame by frame and in order; `judge` answers false for one that does not go on. */
  #pump(from: Socket, to: Socket, judge: (frame: Buffer) => Promise<boolean>): void {
    const frames = new Frames()
    let last: Promise<void> = Promise.resolve()
    from.on('data', (chunk: Buffer) => {
      for (const frame of frames.push(chunk)) {
        last = last.then(async () => {
          if (!this.#isCut && (await judge(frame)) && !this.#isCut) to.write(frame)
        })
      }
    })
  }

  /** The frame begins: length, api key, version, correlation id. */
  async #request(frame: Buffer): Promise<boolean> {
    const fault = this.#faultOf(frame.readInt16BE(4))
    if (fault === undefined) return true
    if (fault.kind === 'lose-request') {
      fault.strike()
      this.cut()
      return false
    }
    if (fault.kind === 'late-request') {
      this.cut()
      void fault.released.then(() => deliver(frame, this.#target))
      fault.strike()
      return false
    }
    if (fault.kind === 'hold-request') {
      fault.strike()
      await fault.released
      return true
    }
    this.#struck.set(frame.readInt32BE(8), fault)
    return true
  }

  /** The frame begins: length, correlation id. */
  async #answer(frame: Buffer): Promise<boolean> {
    const correlation = frame.readInt32BE(4)
    const fault = this.#struck.get(correlation)
    if (fault === undefined) return true
    this.#struck.delete(correlation)
    fault.strike()
    if (fault.kind === 'hold-answer') await fault.released
    if (fault.kind === 'lose-answer') this.cut()
    return fault.kind === 'hold-answer'
  }
}

/** As from a network that lost the client long ago: the broker does it, and nobody hears. */
function deliver(frame: Buffer, port: number): void {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  socket.on('error', () => socket.destroy())
  socket.once('data', () => socket.destroy())
  socket.write(frame)
}
