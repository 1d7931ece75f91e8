// What must come out: a fold of the input, with no worker, no commit and no crash in it.
import type { LoggedRecord } from 'tailrace/testing'
import { add, type Audit, graceMs, type Order, type Total, windowMs } from './topology.ts'

export interface Expected {
  readonly totals: ReadonlyMap<string, Total>
  readonly accounts: ReadonlyMap<string, Total>
  /** By `window start/key`. */
  readonly counts: ReadonlyMap<string, number>
  /** For each key what `audit`, and `final` after it, hold; in order. */
  readonly audits: ReadonlyMap<string, readonly Audit[]>
  /** `partition/offset` of the orders that nobody can read. */
  readonly dead: ReadonlySet<string>
}

type Read = LoggedRecord<Buffer | null, Buffer | null>

const nothing: Total = { count: 0, sum: 0 }

/** Folds the input as it stands in the log, by partition and offset. */
export function expect(orders: readonly Read[]): Expected {
  const totals = new Map<string, Total>()
  const accounts = new Map<string, Total>()
  const counts = new Map<string, number>()
  const audits = new Map<string, Audit[]>()
  const dead = new Set<string>()
  const streamTime = new Map<number, number>()
  for (const { key: bytes, offset, partition, timestamp, value } of orders) {
    const now = Math.max(streamTime.get(partition) ?? -Infinity, timestamp)
    streamTime.set(partition, now)
    const order = readOrder(value)
    if (order === undefined) {
      dead.add(`${partition}/${offset}`)
      continue
    }
    const key = String(bytes)
    const total = add(totals.get(key) ?? nothing, order.amount)
    totals.set(key, total)
    accounts.set(order.account, add(accounts.get(order.account) ?? nothing, order.amount))
    audits.set(key, [...(audits.get(key) ?? []), { id: order.id, count: total.count }])
    const start = Math.floor(timestamp / windowMs) * windowMs
    if (start + windowMs + graceMs <= now) continue
    counts.set(`${start}/${key}`, (counts.get(`${start}/${key}`) ?? 0) + 1)
  }
  return { totals, accounts, counts, audits, dead }
}

function readOrder(value: Buffer | null): Order | undefined {
  try {
    return value === null ? undefined : (JSON.parse(String(value)) as Order)
  } catch {
    return undefined
  }
}
