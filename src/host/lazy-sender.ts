// Sends for a program that runs no worker: opens the log at the first send, closes it when idle.
import type { TableDeclaration, TopicDeclaration } from '../core/declarations.ts'
import type { Answer, Engine, Metadata, Scan, UnsentRecord } from '../core/engine.ts'
import { TailraceError } from '../core/errors.ts'
import type { Clock } from '../port/clock.ts'
import type { Transport } from '../port/transport.ts'
import { PlainSender } from '../runtime/plain-sender.ts'

export interface LazySenderOptions {
  readonly clock: Clock
  /** Called for each opening: options are read when they are needed, not when the app is made. */
  readonly open: () => Promise<OpenedLog>
}

export interface OpenedLog {
  readonly transport: Transport
  readonly recordBytesMax: number
}

interface Connection {
  readonly transport: Transport
  readonly sender: PlainSender
}

/** An open log may hold the program; after this without a send it is closed again. */
const idleMs = 500

export class LazySender implements Engine {
  readonly isLeader = false
  readonly leaderEpoch: undefined
  readonly #options: LazySenderOptions
  #connection: Promise<Connection> | undefined
  #closing: Promise<void> = Promise.resolve()
  #waiting = 0
  #idle: NodeJS.Timeout | undefined
  readonly #onBeforeExit = (): void => void this.close()

  constructor(options: LazySenderOptions) {
    this.#options = options
  }

  async send(topic: TopicDeclaration, record: UnsentRecord): Promise<Metadata> {
    this.#waiting += 1
    clearTimeout(this.#idle)
    try {
      const { sender } = await (this.#connection ??= this.#connect())
      return await sender.send(topic, record)
    } finally {
      this.#waiting -= 1
      if (this.#waiting === 0) this.#closeWhenIdle()
    }
  }

  query(table: TableDeclaration): Promise<Answer<unknown>> {
    return Promise.reject(noWorker(table))
  }

  scan(table: TableDeclaration): Scan<unknown> {
    throw noWorker(table)
  }

  /** Delivers what was sent and lets go of the log; the next send opens it again. */
  close(): Promise<void> {
    clearTimeout(this.#idle)
    const connection = this.#connection
    if (connection === undefined) return this.#closing
    this.#connection = undefined
    process.off('beforeExit', this.#onBeforeExit)
    this.#closing = closeAll(connection)
    return this.#closing
  }

  async #connect(): Promise<Connection> {
    try {
      await this.#closing
      const { transport, recordBytesMax } = await this.#options.open()
      const sender = new PlainSender({
        transport,
        clock: this.#options.clock,
        recordBytesMax
      })
      process.on('beforeExit', this.#onBeforeExit)
      return { transport, sender }
    } catch (error) {
      // The next send tries again.
      this.#connection = undefined
      throw error
    }
  }

  #closeWhenIdle(): void {
    // Unreferenced: when nothing else holds the program, `beforeExit` comes first.
    this.#idle = setTimeout(() => {
      this.close().catch(() => undefined)
    }, idleMs).unref()
  }
}

async function closeAll(connection: Promise<Connection>): Promise<void> {
  const opened = await connection.catch(() => undefined)
  if (opened === undefined) return
  await opened.sender.close()
  await opened.transport.close()
}

function noWorker(table: TableDeclaration): TailraceError {
  return new TailraceError(
    'TAILRACE_TABLE_NOT_LOCAL',
    `table "${table.name}" was asked in a program in which no worker of its app runs`,
    { hint: 'Start one here with `app.start()`, or ask the web pages of a worker.' }
  )
}
