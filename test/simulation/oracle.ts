// What must come out: a fold of the input, with no worker, no commit and no crash in it.
import type { LoggedRecord } from 'tailrace/testing'
import { add, type Audit, type Change, countWindow, type Order, rateWindow } from './topology.ts'
import { recordBytesMax, type Total } from './topology.ts'

export type Read = LoggedRecord<Buffer | null, Buffer | null>
export type Rows = ReadonlyMap<string, unknown>

export interface Expected {
  readonly totals: Rows
  /** By `partition/account`. */
  readonly shares: Rows
  readonly notes: Rows
  /** By `window start/key`. */
  readonly counts: Rows
  readonly rates: Rows
  /** For each key what `audit` holds, in order. */
  readonly audits: ReadonlyMap<string, readonly Audit[]>
  /** For each key what `seen` holds: each order with the total before it. */
  readonly seen: ReadonlyMap<string, readonly Audit[]>
  /** `partition/offset agent` of what is never done; for unreadable records the agent is empty. */
  readonly dead: ReadonlySet<string>
  /** The same where it depends on the moment of a commit: a later write may come before it. */
  readonly maybeDead: ReadonlySet<string>
  /** By partition: the latest event time. */
  readonly streamTimes: ReadonlyMap<number, number>
  /** The partition of each key. */
  readonly homes: ReadonlyMap<string, number>
}

const nothing: Total = { count: 0, sum: 0 }

class Fold implements Expected {
  readonly totals = new Map<string, Total>()
  readonly shares = new Map<string, { count: number; at: string }>()
  readonly notes = new Map<string, { id: number; text: string }>()
  readonly counts = new Map<string, number>()
  readonly rates = new Map<string, number>()
  readonly audits = new Map<string, Audit[]>()
  readonly seen = new Map<string, Audit[]>()
  readonly dead = new Set<string>()
  readonly maybeDead = new Set<string>()
  readonly streamTimes = new Map<number, number>()
  readonly homes = new Map<string, number>()
  /** By key: the note that is too large and that nothing has replaced yet. */
  readonly #heavy = new Map<string, string>()

  take(record: Read): void {
    const { partition, timestamp } = record
    const before = this.streamTimes.get(partition) ?? Number.NEGATIVE_INFINITY
    this.streamTimes.set(partition, Math.max(before, timestamp))
    const at = `${partition}/${record.offset}`
    const order = readOrder(record.value)
    if (order === undefined) {
      this.dead.add(`${at} `)
      return
    }
    const key = String(record.key)
    this.homes.set(key, partition)
    this.#total(key, order, at)
    this.#count(key, order, record)
    this.#note(key, order, at)
  }

  #total(key: string, order: Order, at: string): void {
    appendTo(this.seen, key, { id: order.id, count: this.totals.get(key)?.count ?? 0 })
    if (order.deed === 'curse') {
      this.dead.add(`${at} total`)
      return
    }
    const total = add(this.totals.get(key) ?? nothing, order.amount)
    this.totals.set(key, total)
    appendTo(this.audits, key, { id: order.id, count: total.count })
  }

  #count(key: string, { account, deed }: Order, { partition, timestamp }: Read): void {
    if (deed === 'skip') return
    for (const [rows, window] of [
      [this.counts, countWindow],
      [this.rates, rateWindow]
    ] as const) {
      const last = Math.floor(timestamp / window.everyMs) * window.everyMs
      for (let start = last; start + window.sizeMs > timestamp; start -= window.everyMs) {
        const isClosed = start + window.sizeMs + window.graceMs <= this.#now(partition)
        const row = `${start}/${key}`
        if (!isClosed) rows.set(row, (rows.get(row) ?? 0) + 1)
      }
    }
    const share = `${partition}/${account}`
    const { count } = this.shares.get(share) ?? { count: 0 }
    if (deed === 'drop') this.shares.delete(share)
    else this.shares.set(share, { count: count + 1, at: new Date(timestamp).toISOString() })
  }

  #now(partition: number): number {
    return this.streamTimes.get(partition) ?? Number.NEGATIVE_INFINITY
  }

  #note(key: string, { id, note }: Order, at: string): void {
    const before = this.#heavy.get(key)
    if (before !== undefined) {
      this.dead.delete(before)
      this.maybeDead.add(before)
      this.#heavy.delete(key)
    }
    if (note <= recordBytesMax) {
      this.notes.set(key, { id, text: 'x'.repeat(note) })
      return
    }
    this.#heavy.set(key, `${at} note`)
    this.dead.add(`${at} note`)
  }
}

/** Folds orders by partition and offset. */
export function expect(orders: readonly Read[]): Expected {
  const fold = new Fold()
  for (const record of orders) fold.take(record)
  return fold
}

/** Accounts by the orders that go there, whatever their order. */
export function expectAccounts(orders: readonly Read[]): Rows {
  const accounts = new Map<string, Total>()
  for (const { value } of orders) {
    const order = readOrder(value)
    if (order === undefined || order.deed === 'small') continue
    accounts.set(order.account, add(accounts.get(order.account) ?? nothing, order.amount))
  }
  return accounts
}

/** What `changes` must hold for each account, by the order of the repartition topic. */
export function expectChanges(regrouped: readonly Read[]): ReadonlyMap<string, readonly Change[]> {
  const changes = new Map<string, Change[]>()
  for (const { key, value } of regrouped) {
    const account = String(key)
    const before = changes.get(account)?.at(-1) ?? nothing
    const { count, sum } = add(before, readOrder(value)?.amount ?? Number.NaN)
    appendTo(changes, account, { account, count, sum })
  }
  return changes
}

export function appendTo<T>(lists: Map<string, T[]>, name: string, item: T): void {
  const list = lists.get(name)
  if (list === undefined) lists.set(name, [item])
  else list.push(item)
}

function readOrder(value: Buffer | null): Order | undefined {
  try {
    return value === null ? undefined : (JSON.parse(String(value)) as Order)
  } catch {
    return undefined
  }
}
