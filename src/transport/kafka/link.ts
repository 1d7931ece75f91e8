// One connection to one broker: framing, answers in order, deadlines, and what a quota asks for.

import type { Socket } from 'node:net'
import { isIP } from 'node:net'
import { messageOf } from '../../core/errors.ts'
import type { Clock } from '../../port/clock.ts'
import { connectFailure, tlsAtPort } from './connect-failure.ts'
import { openDirect } from './direct-socket.ts'
import { FrameReader, isTlsRecord } from './frame-reader.ts'
import type { CodecRequest } from './framed-connection.ts'
import { FramedConnection } from './framed-connection.ts'
import type { Api } from './library.ts'
import { apiVersionsV3, protocolAPIsById, ResponseError } from './library.ts'
import type { PendingAnswer } from './pending-answers.ts'
import { PendingAnswers } from './pending-answers.ts'
import { KafkaFailure, local } from './protocol-failure.ts'
import type { RequestHead } from './request-head.ts'
import { afterTags, encodeHead } from './request-head.ts'
import type { Security } from './security.ts'
import { SendGate } from './send-gate.ts'

export type { Api } from './library.ts'

export interface LinkParts {
  /** Node id, -1 for an address whose broker is not known yet. */
  readonly broker: number
  readonly host: string
  readonly port: number
  readonly clientId: string
  readonly security: Security
  readonly clock: Clock
  /** For TCP, TLS and login together, and then for the first answer. @default 4000 */
  readonly connectTimeoutMs?: number
  /** @default 30000 */
  readonly requestTimeoutMs?: number
}

export interface RequestOptions {
  readonly timeoutMs?: number
  readonly hasNoResponse?: boolean
}

/** Frames up to this size are copied, so that a small answer does not keep a large chunk alive. */
const copiedBytesMax = 1024

export class Link {
  readonly broker: number
  readonly host: string
  readonly port: number
  /** Of ApiVersions: request key to the versions this broker speaks. */
  versions: ReadonlyMap<number, { readonly min: number; readonly max: number }> = new Map()
  /** Finalized features of the cluster and their level, `transaction.version` among them. */
  features: ReadonlyMap<string, number> = new Map()
  readonly #clientId: Buffer
  readonly #security: Security
  readonly #requestTimeoutMs: number
  readonly #connectTimeoutMs: number
  readonly #connection: FramedConnection
  readonly #frames: FrameReader = new FrameReader()
  readonly #pending: PendingAnswers
  readonly #gate: SendGate
  #socket: Socket | undefined
  #death: KafkaFailure | undefined
  #isFirstChunk = true
  /** For the request that a codec is about to send. */
  #callTimeoutMs: number | undefined

  private constructor(parts: LinkParts) {
    const { broker, host, port, clientId, security, clock } = parts
    this.broker = broker
    this.host = host
    this.port = port
    this.#clientId = Buffer.from(clientId)
    this.#security = security
    this.#requestTimeoutMs = parts.requestTimeoutMs ?? 30_000
    this.#gate = new SendGate(clock)
    // Answers come in order: nothing behind one that does not come will be answered either.
    this.#pending = new PendingAnswers(clock, (key) => {
      this.#die(new KafkaFailure(local.timedOut, this.#what(key)))
    })
    this.#connectTimeoutMs = parts.connectTimeoutMs ?? 4_000
    this.#connection = new FramedConnection(clientId, {
      connectTimeout: this.#connectTimeoutMs,
      ...(security.tls !== undefined && { tls: security.tls }),
      // An address has no name that a certificate could be asked for.
      ...(security.tls !== undefined && isIP(host) === 0 && { tlsServerName: host }),
      ...(security.sasl !== undefined && { sasl: security.sasl })
    })
  }

  /** Connects, logs in, and asks what the broker speaks. */
  static async open(parts: LinkParts): Promise<Link> {
    const link = new Link(parts)
    await link.#connect()
    try {
      await link.#learnVersions()
    } catch (error) {
      link.close()
      throw error
    }
    return link
  }

  get isOpen(): boolean {
    return this.#socket !== undefined && this.#death === undefined
  }

  /** Large answers are received into memory that `allocate` gives. */
  receiveInto(allocate: (bytes: number) => Buffer): void {
    this.#frames.allocate = allocate
  }

  /**
   * A request by one of the library's codecs. A refusal is part of the answer: look at its
   * `errorCode`s.
   *
   * @throws KafkaFailure when the connection is lost, or no answer comes in time
   */
  call<A extends unknown[], R>(api: Api<A, R>, ...args: A): Promise<R> {
    return this.callWithin(this.#requestTimeoutMs, api, ...args)
  }

  /** As `call`, for a request that the broker may answer late on purpose. */
  async callWithin<A extends unknown[], R>(
    timeoutMs: number,
    api: Api<A, R>,
    ...args: A
  ): Promise<R> {
    try {
      // The codec calls the connection's `send` before it returns.
      this.#callTimeoutMs = timeoutMs
      const answer = api.async(this.#connection, ...args)
      this.#callTimeoutMs = undefined
      return await answer
    } catch (error) {
      if (error instanceof KafkaFailure) throw error
      if (error instanceof ResponseError) {
        const answer: R = error['response']
        return answer
      }
      const reason = `the answer could not be read: ${messageOf(error)}`
      throw new KafkaFailure(local.unreadable, this.#what(api.key), { cause: error, reason })
    }
  }

  /**
   * A request whose body is already encoded; its parts are written as they are. Answers the body
   * behind the response header, as one Buffer that is the caller's.
   */
  request(
    key: number,
    version: number,
    body: readonly Uint8Array[],
    options: RequestOptions = {}
  ): Promise<Buffer> {
    const { timeoutMs = this.#requestTimeoutMs, hasNoResponse = false } = options
    return new Promise((resolve, reject) => {
      const head = { key, version, isFlexible: true, timeoutMs, hasNoResponse }
      const answer = (frame: Buffer): void => resolve(bodyOf(frame))
      this.#send(head, body, { key, answer, fail: reject })
      if (hasNoResponse) resolve(Buffer.alloc(0))
    })
  }

  /** A quota was exceeded: no further request leaves for so long. `call` heeds it by itself. */
  throttle(ms: number): void {
    this.#gate.mute(ms)
  }

  /** Lets go at once; what is under way fails. */
  close(): void {
    this.#die(new KafkaFailure(local.closed, this.#place()))
  }

  /** As `close`, where the broker has another address now: what was under way is asked there. */
  leave(): void {
    const reason = 'the broker has another address now'
    this.#die(new KafkaFailure(local.connectionLost, this.#place(), { reason }))
  }

  async #connect(): Promise<void> {
    const connection = this.#connection
    const socket = await this.#openSocket()
    this.#socket = socket
    socket.on('close', () => this.#die(new KafkaFailure(local.connectionLost, this.#place())))
    connection.on('sasl:authentication:extended', () => this.#gate.loggedIn())
    connection.route = (request) => this.#sendCodec(request)
  }

  async #openSocket(): Promise<Socket> {
    const { sasl, tls } = this.#security
    let isForeign = false
    try {
      if (sasl === undefined && tls === undefined) return await this.#openDirect()
      const connected = this.#connection.connect(this.host, this.port)
      // The library drops what it read when a login ends so.
      if (tls === undefined) {
        this.#connection.socket.once('data', (chunk: Buffer) => {
          isForeign = isTlsRecord(chunk)
        })
      }
      await connected
    } catch (error) {
      this.#connection.socket?.destroy()
      if (isForeign) throw tlsAtPort(`connecting to ${this.#place()}`)
      throw connectFailure(error, this.#place(), this.#security)
    }
    const { socket } = this.#connection
    this.#connection.on('error', (error) => {
      this.#die(connectFailure(error, this.#place(), this.#security))
    })
    // From here on one reader: the library's own would refuse answers that it did not ask for.
    socket.removeAllListeners('data')
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    return socket
  }

  async #openDirect(): Promise<Socket> {
    const socket = await openDirect({
      host: this.host,
      port: this.port,
      timeoutMs: this.#connectTimeoutMs,
      room: () => this.#frames.room(),
      onBytes: (count) => this.#readRoom(count)
    })
    socket.on('error', (error) => {
      this.#die(connectFailure(error, this.#place(), this.#security))
    })
    return socket
  }

  async #learnVersions(): Promise<void> {
    const limitMs = this.#connectTimeoutMs
    const answer = await this.callWithin(limitMs, apiVersionsV3.api, 'tailrace', '0')
    const { apiKeys, finalizedFeatures } = answer
    this.versions = new Map(
      apiKeys.map(({ apiKey, minVersion: min, maxVersion: max }) => [apiKey, { min, max }])
    )
    this.features = new Map(
      finalizedFeatures?.map(({ name, maxVersionLevel }) => [name, maxVersionLevel])
    )
  }

  #sendCodec(request: CodecRequest): void {
    const { key, version, isFlexible } = request
    const timeoutMs = this.#callTimeoutMs ?? this.#requestTimeoutMs
    let body: readonly Uint8Array[]
    try {
      body = request.encode()
    } catch (error) {
      request.fail(error)
      return
    }
    const answer = (frame: Buffer): void => {
      const from = request.hasTaggedAnswer ? afterTags(frame, correlationBytes) : correlationBytes
      this.#gate.mute(request.answer(frame.readInt32BE(0), frame.subarray(from)))
    }
    const head = { key, version, isFlexible, timeoutMs, hasNoResponse: false }
    this.#send(head, body, { key, answer, fail: (failure) => request.fail(failure) })
  }

  #send(head: RequestHead, body: readonly Uint8Array[], pending: PendingAnswer): void {
    if (this.#death !== undefined) {
      pending.fail(this.#lost(pending.key))
      return
    }
    const write = (): void => {
      const correlation = this.#pending.nextCorrelation()
      if (!head.hasNoResponse) this.#pending.add(correlation, pending, head.timeoutMs)
      this.#write(head, correlation, body)
    }
    this.#gate.pass(head.key, { write, fail: pending.fail })
  }

  #write(head: RequestHead, correlation: number, body: readonly Uint8Array[]): void {
    const socket = this.#socket
    if (socket === undefined) return
    let bytes = 0
    for (const part of body) bytes += part.length
    socket.cork()
    socket.write(encodeHead(head, correlation, this.#clientId, bytes))
    for (const part of body) socket.write(part)
    socket.uncork()
  }

  #read(chunk: Buffer): void {
    if (this.#isForeign(chunk)) return
    this.#takeFrames((take) => this.#frames.push(chunk, take))
  }

  #readRoom(count: number): void {
    if (this.#isForeign(this.#frames.room().subarray(0, count))) return
    this.#takeFrames((take) => this.#frames.fill(count, take))
  }

  /** True for a broker that speaks TLS, which only its first words can show. */
  #isForeign(chunk: Buffer): boolean {
    const isForeign = this.#isFirstChunk && isTlsRecord(chunk)
    this.#isFirstChunk = false
    if (!isForeign) return false
    this.#die(tlsAtPort(this.#place()))
    return true
  }

  #takeFrames(read: (take: (frame: Buffer) => void) => void): void {
    try {
      read((frame) => this.#pending.take(frame).answer(frame))
    } catch (error) {
      const reason = `what it sent could not be read: ${messageOf(error)}`
      this.#die(new KafkaFailure(local.connectionLost, this.#place(), { cause: error, reason }))
    }
  }

  #die(death: KafkaFailure): void {
    if (this.#death !== undefined) return
    this.#death = death
    const pending = this.#pending.clear()
    const held = this.#gate.clear()
    // The library's close ends its timer for the next login as well.
    this.#connection.close().catch(() => undefined)
    this.#socket?.destroy()
    for (const { key, fail } of pending) fail(this.#lost(key))
    for (const { fail } of held) fail(death)
  }

  /** Why a request of this kind gets no answer any more. */
  #lost(key: number): KafkaFailure {
    const { code, cause, hint, reason } = this.#death ?? new KafkaFailure(local.connectionLost, '')
    return new KafkaFailure(code, this.#what(key), { cause, hint, reason })
  }

  #place(): string {
    const name = this.broker < 0 ? 'the broker' : `broker ${this.broker}`
    return `${name} at ${this.host}:${this.port}`
  }

  #what(key: number): string {
    return `${protocolAPIsById[key] ?? `request ${key}`} to ${this.#place()}`
  }
}

const correlationBytes = 4

function bodyOf(frame: Buffer): Buffer {
  const body = frame.subarray(afterTags(frame, correlationBytes))
  return body.length <= copiedBytesMax ? Buffer.from(body) : body
}
