// One SQLite database in WAL mode: opening it, and transactions that never block the event loop.

import { DatabaseSync } from 'node:sqlite'
import type { SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'
import { brokenInvariant, TailraceError } from '../../core/errors.ts'
import type { Clock } from '../../port/clock.ts'
import { pause } from '../../port/clock.ts'
import { failureOf, isBusy, isDiskFull } from './failure.ts'
import { applicationId, formatVersion } from './schema.ts'

export type Row = Readonly<Record<string, SQLOutputValue>>
/** Numbers are bound as REAL; the STRICT columns turn them into integers. */
export type SqlValue = SQLInputValue

export interface DatabaseOptions {
  readonly file: string
  /** For messages. */
  readonly directory: string
  readonly schema: string
  readonly synchronous: 'normal' | 'full'
  readonly clock: Clock
}

/** How long a call waits for another process's lock; a stopped process can hold it for ever. */
export const lockWaitMsMax = 30_000
/** Retries that only let the event loop turn; later ones wait up to `retryDelayMsMax`. */
const retryTurns = 4
const retryDelayMsMax = 4
/** Small, so that a checkpoint is done in a few ms by whoever commits. */
const checkpointPages = 500

export class Database {
  readonly #db: DatabaseSync
  readonly #options: DatabaseOptions
  readonly #statements = new Map<string, StatementSync>()
  #isOpen = true
  #version = 0
  #dataVersion = -1

  private constructor(db: DatabaseSync, options: DatabaseOptions) {
    this.#db = db
    this.#options = options
  }

  /**
   * Opens the database or makes it.
   *
   * @throws TAILRACE_TRANSPORT_SQLITE_VERSION, TAILRACE_STATE_FOREIGN, TAILRACE_STATE_UNWRITABLE
   */
  static async open(options: DatabaseOptions): Promise<Database> {
    let db: DatabaseSync | undefined
    try {
      const opened = new DatabaseSync(options.file, { timeout: 0 })
      db = opened
      const database = new Database(opened, options)
      await database.attempt(() => database.#prepare())
      return database
    } catch (error) {
      db?.close()
      throw failureOf(error, {
        verb: 'opened',
        directory: options.directory,
        isDefinite: true
      })
    }
  }

  get(sql: string, ...values: SqlValue[]): Row | undefined {
    return this.#statement(sql).get(...values)
  }

  all(sql: string, ...values: SqlValue[]): readonly Row[] {
    return this.#statement(sql).all(...values)
  }

  /** Rows changed. */
  run(sql: string, ...values: SqlValue[]): number {
    return Number(this.#statement(sql).run(...values).changes)
  }

  /** Grows whenever the database may have changed since it was last asked. */
  version(): number {
    const seen = integer(this.get('PRAGMA data_version'), 'data_version')
    if (seen !== this.#dataVersion) {
      this.#dataVersion = seen
      this.#version++
    }
    return this.#version
  }

  /** Runs a read, again while another process recovers or holds the database. */
  async attempt<T>(run: () => T): Promise<T> {
    const since = this.#options.clock.monotonic()
    for (let attempt = 0; ; attempt++) {
      this.#checkOpen()
      try {
        return run()
      } catch (error) {
        if (!isBusy(error)) throw this.#failure(error, 'read', true)
        await this.#wait(attempt, since, error)
      }
    }
  }

  /**
   * Runs `run` between BEGIN IMMEDIATE and COMMIT, without giving up the thread. When `run` throws
   * everything is rolled back. Waits for the lock from the event loop, not inside SQLite.
   *
   * A durable one is on the disk itself when it resolves: for what removes files afterwards, since
   * metadata that a power cut takes back must still find them.
   */
  async transaction<T>(
    run: () => T,
    { isDurable = false }: { isDurable?: boolean } = {}
  ): Promise<T> {
    const since = this.#options.clock.monotonic()
    for (let attempt = 0; ; attempt++) {
      this.#checkOpen()
      try {
        if (isDurable) this.run('PRAGMA synchronous = FULL')
        try {
          this.run('BEGIN IMMEDIATE')
        } catch (error) {
          if (!isBusy(error)) throw this.#failure(error, 'written', true)
          await this.#wait(attempt, since, error)
          continue
        }
        return this.#finish(run)
      } finally {
        if (isDurable && this.#isOpen) this.run(`PRAGMA synchronous = ${this.#options.synchronous}`)
      }
    }
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#statements.clear()
    this.#db.close()
  }

  #finish<T>(run: () => T): T {
    let result: T
    try {
      result = run()
    } catch (error) {
      this.#rollback()
      throw this.#failure(error, 'written', true)
    }
    try {
      this.run('COMMIT')
      this.#version++
      return result
    } catch (error) {
      // A full disk is found before anything is final. Other failures of a commit may have come
      // after the point of no return, so what became of it is not known.
      this.#rollback()
      throw this.#failure(error, 'written', isDiskFull(error) || isBusy(error))
    }
  }

  #rollback(): void {
    this.#version++
    try {
      this.run('ROLLBACK')
    } catch {
      // SQLite rolled back by itself when the error was grave; there is nothing left to undo.
    }
  }

  async #wait(attempt: number, since: number, cause: unknown): Promise<void> {
    const { clock, directory } = this.#options
    if (clock.monotonic() - since > lockWaitMsMax) {
      throw new TailraceError(
        'TAILRACE_TRANSPORT_UNAVAILABLE',
        `the log in ${directory} was locked by another process for ${lockWaitMsMax / 1_000} s`,
        {
          cause,
          isDefinite: true,
          hint: 'A process stopped (SIGSTOP) inside a write holds the lock: end it or let it go on.'
        }
      )
    }
    // The lock is held for well under a ms, so the first tries only let other events have a turn.
    if (attempt < retryTurns) await clock.turn()
    else await pause(clock, Math.random() * retryDelayMsMax)
  }

  #prepare(): void {
    checkSqliteVersion(String(this.get('SELECT sqlite_version() AS version')?.['version']))
    // Looked at before anything is changed: another application's file stays as it was.
    this.#refuseForeign()
    const { synchronous, schema } = this.#options
    this.#db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${synchronous};
      PRAGMA wal_autocheckpoint = ${checkpointPages};
    `)
    this.run('BEGIN IMMEDIATE')
    try {
      if (integer(this.get('PRAGMA user_version'), 'user_version') === 0) {
        this.#db.exec(schema)
        this.#db.exec(`PRAGMA application_id = ${applicationId}`)
        this.#db.exec(`PRAGMA user_version = ${formatVersion}`)
      }
      this.run('COMMIT')
    } catch (error) {
      this.#rollback()
      throw error
    }
  }

  #refuseForeign(): void {
    const { file } = this.#options
    const tables = integer(this.get('SELECT count(*) AS tables FROM sqlite_schema'), 'tables')
    const application = integer(this.get('PRAGMA application_id'), 'application_id')
    const version = integer(this.get('PRAGMA user_version'), 'user_version')
    if (tables === 0 && application === 0 && version === 0) return
    if (application !== applicationId) {
      throw new TailraceError(
        'TAILRACE_STATE_FOREIGN',
        `${file} is an SQLite database of another application; expected a Tailrace log`
      )
    }
    if (version > formatVersion) {
      throw new TailraceError(
        'TAILRACE_STATE_FOREIGN',
        `${file} has format ${version}; this version reads formats up to ${formatVersion}`
      )
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    this.#checkOpen()
    const statement = this.#db.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }

  #failure(error: unknown, verb: string, isDefinite: boolean): TailraceError {
    return failureOf(error, { verb, directory: this.#options.directory, isDefinite })
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw closedError(this.#options.directory)
  }
}

export function closedError(directory: string): TailraceError {
  return new TailraceError('TAILRACE_TRANSPORT_CLOSED', `the log in ${directory} was closed`, {
    isDefinite: true
  })
}

/** The first SQLite without the WAL-reset bug, which several writers can hit. */
const sqliteVersionMin = [3, 51, 3] as const

/** @throws TAILRACE_TRANSPORT_SQLITE_VERSION */
export function checkSqliteVersion(version: string): void {
  const parts = version.split('.').map(Number)
  for (const [index, least] of sqliteVersionMin.entries()) {
    const part = parts[index] ?? 0
    if (part > least) return
    if (part < least) {
      throw new TailraceError(
        'TAILRACE_TRANSPORT_SQLITE_VERSION',
        `Node ${process.versions.node} carries SQLite ${version}; ` +
          `expected ${sqliteVersionMin.join('.')} or newer`,
        { isDefinite: true }
      )
    }
  }
}

/** The integer in a column; anything else there is our own mistake. */
export function integer(row: Row | undefined, column: string): number {
  const value = row?.[column]
  if (typeof value !== 'number') throw brokenInvariant(`column ${column} of the log is no integer`)
  return value
}

export function text(row: Row | undefined, column: string): string {
  const value = row?.[column]
  if (typeof value !== 'string') throw brokenInvariant(`column ${column} of the log is no text`)
  return value
}

/** As `integer`, where the column may be NULL. */
export function integerOrNull(row: Row, column: string): number | null {
  return row[column] === null ? null : integer(row, column)
}
