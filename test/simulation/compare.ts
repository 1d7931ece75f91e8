// The log and the tables against the oracle; every difference as a sentence.
import { isDeepStrictEqual } from 'node:util'
import type { LoggedRecord, TestLog, TestWorker } from 'tailrace/testing'
import { type Expected, expect } from './oracle.ts'
import type { Audit, Change, SimulatedApp } from './topology.ts'

export interface Compared {
  readonly parts: SimulatedApp
  readonly worker: TestWorker
}

type Row = LoggedRecord<Buffer | null, Buffer | null>
type Rows = ReadonlyMap<string, unknown>

/** Empty when the log holds exactly what the input makes, and every worker answers so. */
export async function differences(log: TestLog, nodes: readonly Compared[]): Promise<string[]> {
  const expected = expect(log.readBytes('orders'))
  const problems = [
    ...outputProblems(log, expected),
    ...deadProblems(log, expected),
    ...mapProblems('changelog of totals', changelog(log, 'totals'), expected.totals),
    ...mapProblems('changelog of accounts', changelog(log, 'accounts'), expected.accounts),
    ...mapProblems('changelog of counts', changelog(log, 'counts'), expected.counts)
  ]
  const scanned = await scanAll(nodes)
  problems.push(...mapProblems('scan of totals', scanned.totals, expected.totals))
  problems.push(...mapProblems('scan of accounts', scanned.accounts, expected.accounts))
  problems.push(...mapProblems('scan of counts', scanned.counts, expected.counts))
  for (const { worker } of nodes) problems.push(...(await diskProblems(log, worker)))
  return problems
}

function outputProblems(log: TestLog, expected: Expected): string[] {
  const sequences = (topic: string): Map<string, Audit[]> => {
    const found = new Map<string, Audit[]>()
    for (const { key, value } of log.readBytes(topic)) {
      const name = String(key)
      found.set(name, [...(found.get(name) ?? []), JSON.parse(String(value)) as Audit])
    }
    return found
  }
  return [
    ...mapProblems('audit', sequences('audit'), expected.audits),
    ...mapProblems('final', sequences('final'), expected.audits),
    ...changeProblems(log, expected)
  ]
}

// Records of one account come from several partitions: their order is free, their number is not.
function changeProblems(log: TestLog, expected: Expected): string[] {
  const last = new Map<string, Change>()
  const problems: string[] = []
  for (const { value } of log.readBytes('changes')) {
    const change = JSON.parse(String(value)) as Change
    const before = last.get(change.account)?.count ?? 0
    if (change.count !== before + 1) {
      problems.push(`changes of ${change.account}: ${change.count} follows ${before}`)
    }
    last.set(change.account, change)
  }
  const totals = new Map(
    [...last].map(([account, { count, sum }]) => [account, { count, sum }] as const)
  )
  return [...problems, ...mapProblems('last of changes', totals, expected.accounts)]
}

function deadProblems(log: TestLog, expected: Expected): string[] {
  const found = log.readBytes('dead').map(({ headers }) => {
    return `${headers['__tailrace.dlq.partition']}/${headers['__tailrace.dlq.offset']}`
  })
  const wanted = [...expected.dead].sort()
  if (isDeepStrictEqual(found.sort(), wanted)) return []
  return [`dead letters: found ${found.join(' ')}; expected ${wanted.join(' ')}`]
}

const envelopeBytes = 9
const windowBytes = 8

function changelog(log: TestLog, table: string): Rows {
  const rows = new Map<string, unknown>()
  for (const record of log.readBytes(`sim-${table}-changelog`)) {
    const key = keyText(record, table)
    if (record.value === null) rows.delete(key)
    else rows.set(key, JSON.parse(String(record.value.subarray(envelopeBytes))))
  }
  return rows
}

function keyText({ key }: Pick<Row, 'key'>, table: string): string {
  if (key === null) return 'null'
  if (table !== 'counts') return String(key)
  // Big-endian with its sign flipped, so that byte order is time order.
  const start = key.readBigUInt64BE(0) - (1n << 63n)
  return `${start}/${String(key.subarray(windowBytes))}`
}

interface Scanned {
  readonly totals: Rows
  readonly accounts: Rows
  readonly counts: Rows
}

async function scanAll(nodes: readonly Compared[]): Promise<Scanned> {
  const totals = new Map<string, unknown>()
  const accounts = new Map<string, unknown>()
  const counts = new Map<string, unknown>()
  for (const { parts } of nodes) {
    for await (const [key, value] of parts.totals.scan()) totals.set(key, value)
    for await (const [key, value] of parts.accounts.scan()) accounts.set(key, value)
    for await (const [key, pane] of parts.counts.scan()) {
      counts.set(`${pane.start}/${key}`, pane.value)
    }
  }
  return { totals, accounts, counts }
}

// A disk holds, for each shard its worker owns, exactly the changelog of that partition.
async function diskProblems(log: TestLog, worker: TestWorker): Promise<string[]> {
  const problems: string[] = []
  const store = worker.disk.connect()
  for (const table of ['totals', 'accounts', 'counts']) {
    const latest = log.readBytes(`sim-${table}-changelog`)
    for (const { id, partition } of worker.status().tasks) {
      if (!id.includes(`+${table}`)) continue
      const wanted = new Map<string, string>()
      for (const record of latest) {
        if (record.partition !== partition) continue
        wanted.set(String(record.key?.toString('hex')), String(record.value?.toString('hex')))
      }
      const rows = await store.scan({ table, partition }, { limit: 10_000 })
      const held = new Map(rows.map(({ key, value }) => [hex(key), hex(value)] as const))
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
