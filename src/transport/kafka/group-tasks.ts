// Lists of tasks in few bytes: by sub-topology, partitions as ranges. A group's whole state is one
// record in Kafka, so what members say must be short.

import type { TaskSpec } from '../../core/task-spec.ts'

/** Partitions as text: `0-3,7`. */
type Ranges = string

/** Ids of tasks by sub-topology. */
export type TaskList = Readonly<Record<string, Ranges>>

/** As `TaskList`, each with the epoch at which it was given: sub-topology, epoch, partitions. */
export type OwnedList = Readonly<Record<string, Readonly<Record<string, Ranges>>>>

/** Tasks of one sub-topology that read and write the same topics. */
export interface SpecList {
  readonly sub: string
  readonly partitions: Ranges
  readonly sources: readonly string[]
  readonly changelogs?: readonly string[]
}

export function packTasks(ids: Iterable<string>): TaskList {
  const bySub = Map.groupBy(ids, (id) => splitId(id).sub)
  return Object.fromEntries(
    [...bySub].map(([sub, own]) => [sub, packRanges(own.map((id) => splitId(id).partition))])
  )
}

export function unpackTasks(list: TaskList): string[] {
  return Object.entries(list).flatMap(([sub, ranges]) => {
    return unpackRanges(ranges).map((partition) => `${sub}/${partition}`)
  })
}

export function packOwned(owned: Iterable<readonly [task: string, epoch: number]>): OwnedList {
  const bySub = Map.groupBy(owned, ([id]) => splitId(id).sub)
  const packed = [...bySub].map(([sub, own]) => {
    const byEpoch = Map.groupBy(own, ([, epoch]) => String(epoch))
    const lists = [...byEpoch].map(([epoch, tasks]) => {
      return [epoch, packRanges(tasks.map(([id]) => splitId(id).partition))] as const
    })
    return [sub, Object.fromEntries(lists)] as const
  })
  return Object.fromEntries(packed)
}

export function unpackOwned(list: OwnedList): Map<string, number> {
  const owned = new Map<string, number>()
  for (const [sub, byEpoch] of Object.entries(list)) {
    for (const [epoch, ranges] of Object.entries(byEpoch)) {
      for (const partition of unpackRanges(ranges)) owned.set(`${sub}/${partition}`, Number(epoch))
    }
  }
  return owned
}

/** A task's topics are read and written at the task's own partition. */
export function packSpecs(tasks: readonly TaskSpec[]): readonly SpecList[] {
  const alike = Map.groupBy(tasks, (task) => {
    return JSON.stringify([task.subTopology, topicsOf(task.sources), topicsOf(task.changelogs)])
  })
  return [...alike.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const { changelogs = [], sources, subTopology } = first
    const partitions = packRanges(group.map(({ partition }) => partition))
    const list = { sub: subTopology, partitions, sources: topicsOf(sources) }
    return changelogs.length === 0 ? list : { ...list, changelogs: topicsOf(changelogs) }
  })
}

export function unpackSpecs(lists: readonly SpecList[]): TaskSpec[] {
  return lists.flatMap(({ changelogs, partitions, sources, sub }) => {
    return unpackRanges(partitions).map((partition) => {
      const at = (topic: string): { topic: string; partition: number } => ({ topic, partition })
      const spec = {
        id: `${sub}/${partition}`,
        subTopology: sub,
        partition,
        sources: sources.map(at)
      }
      return changelogs === undefined ? spec : { ...spec, changelogs: changelogs.map(at) }
    })
  })
}

function topicsOf(partitions: TaskSpec['sources'] = []): string[] {
  return partitions.map(({ topic }) => topic)
}

function splitId(id: string): { readonly sub: string; readonly partition: number } {
  const at = id.lastIndexOf('/')
  return { sub: id.slice(0, at), partition: Number(id.slice(at + 1)) }
}

function packRanges(numbers: readonly number[]): Ranges {
  const ranges: { first: number; last: number }[] = []
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const open = ranges.at(-1)
    if (open !== undefined && number === open.last + 1) open.last = number
    else ranges.push({ first: number, last: number })
  }
  return ranges.map(({ first, last }) => (first === last ? first : `${first}-${last}`)).join(',')
}

function unpackRanges(ranges: Ranges): number[] {
  if (ranges === '') return []
  return ranges.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}
