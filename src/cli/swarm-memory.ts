// `swarm memory`: what a supervisor and its nodes really have of memory.
import { type MemoryTotal, memoryOf, type ProcessMemory, totalOf } from '../swarm/process-memory.ts'
import { megabytes } from '../swarm/control-page.ts'
import { columns } from './columns.ts'
import type { SwarmContext } from './swarm.ts'

interface Row {
  readonly process: string
  readonly pid: number
  /** Told by the process itself, where the system counts no more. */
  readonly rssBytes: number | undefined
  /** Undefined where the system does not say it. */
  readonly memory: ProcessMemory | undefined
}

export async function memory({ isJson, print, swarm }: SwarmContext): Promise<void> {
  const { nodes, pid, rssBytes } = swarm.status
  const known = [
    { process: 'supervisor', pid, rssBytes },
    ...nodes.flatMap(({ health, id, pid: own }) =>
      own === undefined ? [] : [{ process: `node ${id}`, pid: own, rssBytes: health?.rssBytes }]
    )
  ]
  const rows = await Promise.all(
    known.map(async (one): Promise<Row> => ({ ...one, memory: await memoryOf(one.pid) }))
  )
  print(isJson ? JSON.stringify(dataOf(rows)) : textOf(rows))
}

/** Undefined unless it is known of all: a sum of some would say too little. */
function wholeOf(rows: readonly Row[]): MemoryTotal | undefined {
  const all = rows.flatMap(({ memory }) => memory ?? [])
  return all.length === rows.length ? totalOf(all) : undefined
}

function dataOf(rows: readonly Row[]): object {
  const processes = rows.map(({ memory, ...row }) => ({ ...row, ...memory }))
  return { processes, total: wholeOf(rows) ?? { rssBytes: residentOf(rows) } }
}

function residentOf(rows: readonly Row[]): number {
  return rows.reduce((sum, { memory, rssBytes }) => sum + (memory?.rssBytes ?? rssBytes ?? 0), 0)
}

function textOf(rows: readonly Row[]): string {
  const total = wholeOf(rows)
  if (total === undefined) return residentText(rows)
  const cells = rows.map(({ memory, pid, process }) => [process, String(pid), ...partsOf(memory)])
  const table = columns([
    ['process', 'pid', 'RSS', 'PSS', 'USS'],
    ...cells,
    ['total', '', ...partsOf(total)]
  ])
  const { pssBytes, rssBytes, sharedBytes, swapBytes } = total
  const percent = Math.round((100 * sharedBytes) / pssBytes)
  const lines = [
    `It takes ${text(pssBytes)} (PSS), of which ${text(sharedBytes)} (${percent} %) are pages ` +
      `that are shared; RSS counts those in each process and comes to ${text(rssBytes)}.`
  ]
  if (swapBytes > 0) lines.push(`Another ${text(swapBytes)} are on the disk (swap).`)
  return [table, '', ...lines].join('\n')
}

function partsOf(memory: ProcessMemory | undefined): string[] {
  if (memory === undefined) return []
  return [memory.rssBytes, memory.pssBytes, memory.ussBytes].map(text)
}

function residentText(rows: readonly Row[]): string {
  const cells = rows.map(({ memory, pid, process, rssBytes }) => {
    const bytes = memory?.rssBytes ?? rssBytes
    return [process, String(pid), bytes === undefined ? 'not said yet' : text(bytes)]
  })
  const table = columns([['process', 'pid', 'RSS'], ...cells])
  return (
    `${table}\n\nThis system, or this user, is not told what processes share: only Linux says ` +
    `PSS and USS. Resident memory counts shared pages in each process, so it is no sum.`
  )
}

function text(bytes: number): string {
  return `${megabytes(bytes)} MB`
}
