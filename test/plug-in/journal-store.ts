// A store of somebody else's: everything in memory, and each batch one line of a text file.
import { appendFile, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Checkpoint,
  type ShardId,
  type Store,
  type StoreBatch,
  type StoreIdentity,
  type StoreRange,
  type StoreRow,
  TailraceError
} from 'tailrace'

/** A change as it stands in the file: bytes in hexadecimal, whose order is that of the bytes. */
type Change = { readonly shard: ShardId } & (
  | { readonly put: string; readonly value: string }
  | { readonly delete: string }
  | { readonly checkpoint: Checkpoint }
  | { readonly clear: readonly [from: string, to: string] }
  | { readonly wipe: true }
)

interface ShardState {
  readonly id: ShardId
  readonly rows: Map<string, Uint8Array>
  checkpoint: Checkpoint | undefined
}

export class JournalStore implements Store {
  readonly name = 'journal'
  readonly #directory: string
  #shards: Map<string, ShardState> | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(directory: string) {
    this.#directory = directory
  }

  get #file(): string {
    return join(this.#directory, 'journal.txt')
  }

  get #lock(): string {
    return join(this.#directory, 'lock')
  }

  async open({ app }: StoreIdentity): Promise<void> {
    await mkdir(this.#directory, { recursive: true })
    try {
      await writeFile(this.#lock, String(process.pid), { flag: 'wx' })
    } catch (cause) {
      throw new TailraceError('TAILRACE_STATE_LOCKED', `${this.#directory} is in use`, { cause })
    }
    try {
      await this.#load(app)
    } catch (error) {
      await rm(this.#lock)
      throw error
    }
  }

  async #load(app: string): Promise<void> {
    const text = await readFile(this.#file, 'utf8').catch(() => '')
    const [head, ...lines] = text.split('\n')
    if (head === undefined || head === '') await writeFile(this.#file, `${JSON.stringify(app)}\n`)
    else if (JSON.parse(head) !== app) {
      throw new TailraceError('TAILRACE_STATE_FOREIGN', `${this.#directory} belongs to ${head}`)
    }
    this.#shards = new Map()
    // The last piece is empty, or a line that a crash cut off.
    for (const line of lines.slice(0, -1)) this.#apply(JSON.parse(line) as readonly Change[])
  }

  get(shard: ShardId, key: Uint8Array): Uint8Array | undefined {
    return this.#state(shard)?.rows.get(hex(key))
  }

  async scan(shard: ShardId, { from, limit, to }: StoreRange): Promise<readonly StoreRow[]> {
    const rows = this.#state(shard)?.rows ?? new Map<string, Uint8Array>()
    const [low, high] = [from && hex(from), to && hex(to)]
    return [...rows]
      .filter(([key]) => (low === undefined || key >= low) && (high === undefined || key < high))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([key, value]) => ({ key: Buffer.from(key, 'hex'), value }))
  }

  batch(): StoreBatch {
    const changes: Change[] = []
    let isUsed = false
    const add = (change: Change): void => {
      if (isUsed) throw new Error('a batch is used once')
      changes.push(change)
    }
    return {
      put: (shard, key, value) => add({ shard, put: hex(key), value: hex(value) }),
      delete: (shard, key) => add({ shard, delete: hex(key) }),
      checkpoint: (shard, checkpoint) => add({ shard, checkpoint }),
      write: async () => {
        if (isUsed) throw new Error('a batch is used once')
        isUsed = true
        if (changes.length > 0) await this.#write(changes)
      }
    }
  }

  checkpoint(shard: ShardId): Checkpoint | undefined {
    return this.#state(shard)?.checkpoint
  }

  async shards(): Promise<readonly ShardId[]> {
    return [...this.#open().values()]
      .filter(({ checkpoint, rows }) => checkpoint !== undefined || rows.size > 0)
      .map(({ id }) => id)
  }

  wipe(shard: ShardId): Promise<void> {
    return this.#write([{ shard, wipe: true }])
  }

  clear(
    shard: ShardId,
    { from, to }: { readonly from: Uint8Array; readonly to: Uint8Array }
  ): Promise<void> {
    return this.#write([{ shard, clear: [hex(from), hex(to)] }])
  }

  async sizeBytes(): Promise<number> {
    return (await stat(this.#file)).size
  }

  async close(): Promise<void> {
    if (this.#shards === undefined) return
    await this.#writing
    this.#shards = undefined
    await rm(this.#lock)
  }

  #write(changes: readonly Change[]): Promise<void> {
    this.#open()
    this.#writing = this.#writing.then(async () => {
      // One line is one batch: what a crash leaves of it is no line.
      await appendFile(this.#file, `${JSON.stringify(changes)}\n`)
      this.#apply(changes)
    })
    return this.#writing
  }

  #apply(changes: readonly Change[]): void {
    const shards = this.#open()
    for (const change of changes) {
      const name = nameOf(change.shard)
      const fresh = { id: change.shard, rows: new Map<string, Uint8Array>(), checkpoint: undefined }
      const state: ShardState = shards.get(name) ?? fresh
      shards.set(name, state)
      if ('put' in change) state.rows.set(change.put, Buffer.from(change.value, 'hex'))
      else if ('delete' in change) state.rows.delete(change.delete)
      else if ('checkpoint' in change) state.checkpoint = change.checkpoint
      else if ('wipe' in change) shards.delete(name)
      else {
        const [from, to] = change.clear
        for (const key of state.rows.keys()) if (key >= from && key < to) state.rows.delete(key)
      }
    }
  }

  #state(shard: ShardId): ShardState | undefined {
    return this.#open().get(nameOf(shard))
  }

  #open(): Map<string, ShardState> {
    if (this.#shards !== undefined) return this.#shards
    throw new Error('the store is not open')
  }
}

function nameOf({ partition, table }: ShardId): string {
  return `${partition} ${table}`
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
