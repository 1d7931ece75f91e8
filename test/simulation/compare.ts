// The log and the tables against the oracle; every difference as a sentence.
import { isDeepStrictEqual } from 'node:util'
import { hasCode } from 'tailrace'
import type { TestLog, TestWorker } from 'tailrace/testing'
import { appendTo, type Expected, expect, expectAccounts, expectChanges } from './oracle.ts'
import type { Read, Rows } from './oracle.ts'
import { type Audit, type Change, partitions, rateWindow, type SimulatedApp } from './topology.ts'

export interface Compared {
  readonly parts: SimulatedApp
  readonly worker: TestWorker
}

const regroupedTopic = 'sim-by-account-repartition'
export const sourceTopics = ['orders', 'probes', 'audit', regroupedTopic] as const
const tables = ['totals', 'accounts', 'shares', 'notes', 'counts', 'rates'] as const
type TableName = (typeof tables)[number]

/**
 * What is in the log at any moment: exactly the effects of the records below the committed
 * offsets, whatever is under way.
 */
export function torn(log: TestLog): string[] {
  const orders = committed(log, 'orders')
  const expected = expect(orders)
  const answers = log.readBytes('answers')
  return [
    ...mapProblems('audit', byKey<Audit>(log.readBytes('audit')), expected.audits),
    ...mapProblems('seen', byKey<Audit>(log.readBytes('seen')), expected.seen),
    ...mapProblems('final', byKey(log.readBytes('final')), byKey(committed(log, 'audit'))),
    ...mapProblems('ids of answers', ids(answers), ids(committed(log, 'probes'))),
    ...answerProblems(answers, expected),
    ...deadProblems(log, expected),
    ...(['totals', 'shares', 'notes', 'counts', 'rates'] as const).flatMap((table) =>
      mapProblems(`changelog of ${table}`, changelog(log, table), expected[table])
    ),
    ...changeProblems(log)
  ]
}

/** When everything is done and quiet: the above, and what every worker and its disk say. */
export async function differences(log: TestLog, nodes: readonly Compared[]): Promise<string[]> {
  const orders = log.readBytes('orders')
  const expected = expect(orders)
  const accounts = expectAccounts(orders)
  const problems = [
    ...torn(log),
    ...mapProblems('changelog of accounts', changelog(log, 'accounts'), accounts)
  ]
  const scanned = await scanAll(nodes)
  for (const table of ['totals', 'notes', 'counts'] as const) {
    problems.push(...mapProblems(`scan of ${table}`, scanned[table], expected[table]))
  }
  problems.push(...mapProblems('scan of accounts', scanned.accounts, accounts))
  problems.push(...mapProblems('scan of rates', scanned.rates, unexpired(expected)))
  problems.push(...(await queryProblems(nodes, expected)))
  for (const { worker } of nodes) problems.push(...(await diskProblems(log, worker, expected)))
  return problems
}

function committed(log: TestLog, topic: string): readonly Read[] {
  const offsets = Array.from({ length: partitions }, (_, partition) => {
    return log.broker.committed('sim', [{ topic, partition }])[0]?.offset ?? 0
  })
  return log.readBytes(topic).filter(({ offset, partition }) => offset < (offsets[partition] ?? 0))
}

function byKey<T>(records: readonly Read[]): ReadonlyMap<string, readonly T[]> {
  const found = new Map<string, T[]>()
  for (const { key, value } of records) {
    appendTo(found, String(key), JSON.parse(String(value)) as T)
  }
  return found
}

function ids(records: readonly Read[]): Rows {
  const found = byKey<{ id: number }>(records)
  return new Map([...found].map(([key, values]) => [key, values.map(({ id }) => id)]))
}

// An answer is what a table held at some moment: it only grows, up to what it holds now.
function answerProblems(answers: readonly Read[], expected: Expected): string[] {
  return [...byKey<Audit>(answers)].flatMap(([key, values]) => {
    const counts = values.map(({ count }) => count)
    const isGrowing = counts.every((count, index) => count >= (counts[index - 1] ?? 0))
    const most = expected.audits.get(key)?.length ?? 0
    if (isGrowing && (counts.at(-1) ?? 0) <= most) return []
    return [`answers for ${key}: ${counts.join(' ')}, and there were ${most}`]
  })
}

// Until the log deletes what was read: by then it has been compared often enough.
function changeProblems(log: TestLog): string[] {
  const isWhole = Array.from({ length: partitions }, (_, partition) => partition).every(
    (partition) =>
      !log.broker.topics().some(({ name }) => name === regroupedTopic) ||
      log.broker.log({ topic: regroupedTopic, partition }).start === 0
  )
  const changes = byKey<Change>(log.readBytes('changes'))
  const counted = [...changes].flatMap(([account, all]) =>
    all.every(({ count }, index) => count === index + 1)
      ? []
      : [`changes of ${account} count ${all.map(({ count }) => count).join(' ')}`]
  )
  if (!isWhole) return counted
  const wanted = expectChanges(committed(log, regroupedTopic))
  const last = new Map(
    [...wanted].map(([account, all]) => {
      const { count, sum } = all.at(-1) as Change
      return [account, { count, sum }]
    })
  )
  return [
    ...counted,
    ...mapProblems('changes', changes, wanted),
    ...mapProblems('changelog of accounts', changelog(log, 'accounts'), last)
  ]
}

function deadProblems(log: TestLog, { dead, maybeDead }: Expected): string[] {
  const found = log.readBytes('dead').map(({ headers }) => {
    const at = `${headers['__tailrace.dlq.partition']}/${headers['__tailrace.dlq.offset']}`
    const isDecode = headers['__tailrace.dlq.stage'] === 'decode'
    return `${at} ${isDecode ? '' : headers['__tailrace.dlq.agent']}`
  })
  const left = found.filter((letter) => !maybeDead.has(letter)).sort()
  const problems = new Set(found).size === found.length ? [] : [`dead letters twice: ${found}`]
  if (isDeepStrictEqual(left, [...dead].sort())) return problems
  return [...problems, `dead letters: found ${left}; expected ${[...dead].sort()}`]
}

const envelopeBytes = 9
const windowBytes = 8

function changelog(log: TestLog, table: TableName): Rows {
  const rows = new Map<string, unknown>()
  for (const record of log.readBytes(`sim-${table}-changelog`)) {
    const key = rowName(table, record)
    if (record.value === null) rows.delete(key)
    else rows.set(key, JSON.parse(String(record.value.subarray(envelopeBytes))))
  }
  return rows
}

function rowName(table: TableName, { key, partition }: Pick<Read, 'key' | 'partition'>): string {
  if (key === null) return 'null'
  if (table === 'shares') return `${partition}/${String(key)}`
  if (table !== 'counts' && table !== 'rates') return String(key)
  return `${windowStart(key)}/${String(key.subarray(windowBytes))}`
}

// Big-endian with its sign flipped, so that byte order is time order.
function windowStart(key: Buffer): number {
  return Number(key.readBigUInt64BE(0) - (1n << 63n))
}

function unexpired({ homes, rates, streamTimes }: Expected): Rows {
  const isKept = ([row]: readonly [string, unknown]): boolean => {
    const [start, key = ''] = row.split('/')
    const now = streamTimes.get(homes.get(key) ?? -1) ?? 0
    return Number(start) >= now - rateWindow.retentionMs
  }
  return new Map([...rates].filter(isKept))
}

async function scanAll(nodes: readonly Compared[]): Promise<Record<TableName, Rows>> {
  const found = Object.fromEntries(
    tables.map((table) => [table, new Map<string, unknown>()])
  ) as Record<TableName, Map<string, unknown>>
  for (const { parts } of nodes) {
    for (const table of ['totals', 'accounts', 'notes'] as const) {
      for await (const [key, value] of parts[table].scan()) found[table].set(key, value)
    }
    for (const table of ['counts', 'rates'] as const) {
      for await (const [key, { start, value }] of parts[table].scan()) {
        found[table].set(`${start}/${key}`, value)
      }
    }
  }
  return found
}

async function queryProblems(nodes: readonly Compared[], expected: Expected): Promise<string[]> {
  const problems: string[] = []
  for (const [key, total] of expected.totals) {
    const answers: unknown[] = []
    for (const { parts } of nodes) {
      try {
        answers.push((await parts.totals.query(key)).value)
      } catch (error) {
        if (!hasCode(error, 'TAILRACE_TABLE_NOT_LOCAL')) throw error
      }
    }
    if (!isDeepStrictEqual(answers, [total])) {
      problems.push(
        `query of ${key}: ${JSON.stringify(answers)}; expected ${JSON.stringify(total)}`
      )
    }
  }
  return problems
}

// A disk holds, for each shard its worker owns, exactly the changelog of that partition; expired
// windows may be gone.
async function diskProblems(
  log: TestLog,
  worker: TestWorker,
  expected: Expected
): Promise<string[]> {
  const problems: string[] = []
  const store = worker.disk.connect()
  for (const table of tables) {
    const latest = log.readBytes(`sim-${table}-changelog`)
    for (const { id, partition } of worker.status().tasks) {
      if (!id.includes(`+${table}`)) continue
      const horizon = (expected.streamTimes.get(partition) ?? 0) - rateWindow.retentionMs
      const isKept = (key: Buffer): boolean => table !== 'rates' || windowStart(key) >= horizon
      const wanted = new Map<string, string>()
      for (const { key, partition: at, value } of latest) {
        if (at !== partition || key === null || !isKept(key)) continue
        if (value === null) wanted.delete(key.toString('hex'))
        else wanted.set(key.toString('hex'), value.toString('hex'))
      }
      const rows = await store.scan({ table, partition }, { limit: 10_000 })
      const kept = rows.filter(({ key }) => isKept(Buffer.from(key)))
      const held = new Map(kept.map(({ key, value }) => [hex(key), hex(value)] as const))
      problems.push(...mapProblems(`disk of ${table}/${partition}`, held, wanted))
    }
  }
  return problems
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function mapProblems(what: string, found: Rows, expected: Rows): string[] {
  const keys = new Set([...found.keys(), ...expected.keys()])
  return [...keys].flatMap((key) => {
    const [got, wanted] = [found.get(key), expected.get(key)]
    if (isDeepStrictEqual(got, wanted)) return []
    return [`${what}, ${key}: found ${JSON.stringify(got)}; expected ${JSON.stringify(wanted)}`]
  })
}
