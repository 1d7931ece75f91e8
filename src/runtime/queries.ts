// Answers questions about tables from the partitions that this worker has.
import type { TableDeclaration } from '../core/declarations.ts'
import type { Answer, Coverage, Pane, QueryRange, Scan, ScanOptions } from '../core/engine.ts'
import { TailraceError } from '../core/errors.ts'
import { taskId } from '../core/topology-partitions.ts'
import type { SubTopology } from '../core/topology.ts'
import { absent } from './entry.ts'
import type { OpenTask } from './open-task.ts'
import { scanRows } from './scan.ts'
import type { Shard } from './shard.ts'
import type { TaskSet } from './task-set.ts'

export interface QueryParts {
  readonly subTopologies: readonly SubTopology[]
  readonly partitionsOf: (subTopology: string) => number
  readonly tasks: TaskSet
}

export const scanRowsMax = 1_000

export class Queries {
  readonly #parts: QueryParts

  constructor(parts: QueryParts) {
    this.#parts = parts
  }

  query(table: TableDeclaration, key: unknown, range: QueryRange): Answer<unknown> {
    const sub = this.#subOf(table)
    if (table.scope === 'partition') {
      throw new TailraceError(
        'TAILRACE_TABLE_NOT_LOCAL',
        `table "${table.name}" has rows by partition: a key alone does not say where; use scan`
      )
    }
    const bytes = table.key.codec.encode(key)
    const partitions = this.#parts.partitionsOf(sub.name)
    const partition = table.partitioner.partition(bytes, partitions)
    const task = this.#taskOf(sub, partition, table)
    const shard = shardIn(task, table)
    const value =
      table.window === undefined
        ? shard.reveal(shard.entryOf(key, 0).value)
        : this.#panes(shard, task, { key, range })
    return {
      value,
      isStale: task.run.positions.some(({ lag }) => lag > 0),
      asOf: task.run.time.finished
    }
  }

  #panes(
    shard: Shard,
    task: OpenTask,
    asked: { readonly key: unknown; readonly range: QueryRange }
  ): readonly Pane<unknown>[] {
    const sizeMs = shard.table.window?.sizeMs ?? 0
    const from = Math.max(
      shard.horizon(task.run.time.finished),
      timeOf(asked.range.from, -Infinity)
    )
    const to = timeOf(asked.range.to, Infinity)
    const starts = [...shard.knownWindows()].filter((start) => start >= from && start < to)
    return starts
      .sort((a, b) => a - b)
      .flatMap((start) => {
        const { value } = shard.entryOf(asked.key, start)
        if (value === absent) return []
        return [{ start, end: start + sizeMs, value: shard.reveal(value) }]
      })
  }

  scan(table: TableDeclaration, options: ScanOptions): Scan<unknown> {
    const sub = this.#subOf(table)
    const of = this.#parts.partitionsOf(sub.name)
    const tasks = this.#parts.tasks.tasks.filter(
      (task) => task.sub === sub && task.state === 'running'
    )
    const partitions = tasks.map((task) => task.partition).sort((a, b) => a - b)
    const coverage: Coverage = { partitions, of, isComplete: partitions.length === of }
    const limit = options.limit ?? scanRowsMax
    return { coverage, [Symbol.asyncIterator]: () => rowsOf(table, tasks, limit) }
  }

  #subOf(table: TableDeclaration): SubTopology {
    const sub = this.#parts.subTopologies.find((one) => one.tables.includes(table))
    if (sub !== undefined) return sub
    throw new TailraceError(
      'TAILRACE_TABLE_NOT_READY',
      `table "${table.name}" is used by no agent, so it has no rows`
    )
  }

  #taskOf(sub: SubTopology, partition: number, table: TableDeclaration): OpenTask {
    const id = taskId(sub.name, partition)
    const task = this.#parts.tasks.find(id)
    if (task !== undefined && task.state !== 'restoring') return task
    const where = `partition ${partition} of table "${table.name}"`
    const context = { table: table.name, partition }
    if (task !== undefined) {
      throw new TailraceError('TAILRACE_TABLE_NOT_READY', `${where} is being restored`, { context })
    }
    if (this.#parts.tasks.isSuspended) {
      const message = `${where} begins again at its last commit`
      throw new TailraceError('TAILRACE_TABLE_NOT_READY', message, { context })
    }
    const owner = this.#parts.tasks.view.members.find((member) => member.tasks.includes(id))
    if (owner === undefined) {
      const message = `${where} is moving: nobody has it yet`
      throw new TailraceError('TAILRACE_TABLE_NOT_READY', message, { context })
    }
    const address = owner.url === undefined ? '' : ` at ${owner.url}`
    throw new TailraceError(
      'TAILRACE_TABLE_NOT_LOCAL',
      `${where} belongs to worker ${owner.memberId}${address}`,
      { context: { ...context, owner: owner.memberId, ...(owner.url && { url: owner.url }) } }
    )
  }
}

async function* rowsOf(
  table: TableDeclaration,
  tasks: readonly OpenTask[],
  limit: number
): AsyncGenerator<unknown> {
  let left = limit
  const sizeMs = table.window?.sizeMs
  for (const task of tasks) {
    if (left <= 0) return
    const shard = shardIn(task, table)
    const view = {
      valueOf: (entry: { readonly value: unknown }) => entry.value,
      horizon: shard.horizon(task.run.time.finished)
    }
    for await (const row of scanRows(shard, view)) {
      if (left-- <= 0) return
      const { key, value, windowStart: start } = row
      yield [key, sizeMs === undefined ? value : { start, end: start + sizeMs, value }]
    }
  }
}

function shardIn(task: OpenTask, table: TableDeclaration): Shard {
  const shard = task.shards.find((one) => one.table === table)
  if (shard !== undefined) return shard
  throw new TailraceError('TAILRACE_BUG_INVARIANT', `a task has no shard of "${table.name}"`)
}

function timeOf(when: number | Date | undefined, otherwise: number): number {
  if (when === undefined) return otherwise
  return typeof when === 'number' ? when : when.getTime()
}
