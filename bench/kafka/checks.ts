// Whether the table of a worker is the fold of its input: ours is asked itself, the one of Kafka
// Streams is read from its changelog; of other peers nothing is known.
import { murmur2Partitioner } from '../../src/core/partitioner.ts'
import { pageName, partitions } from '../page-views.ts'
import type { KafkaBench } from './bench.ts'
import type { Assignment, Candidate } from './candidates.ts'
import type { Input } from './desk.ts'
import type { LineProcess } from './line-process.ts'
import type { Expectation } from './worker.ts'

export interface Table {
  readonly candidate: Candidate
  readonly worker: LineProcess
  readonly assignment: Assignment
  readonly input: Input
  /** How often one view more went into each partition. */
  readonly extra: number
}

export async function tableProblems(
  { desk }: KafkaBench,
  { assignment, candidate, extra, input, worker }: Table
): Promise<readonly string[]> {
  if (candidate.isStreams) {
    return (await desk.checkCounts(`${assignment.group}-views-changelog`, input, extra)).problems
  }
  if (!candidate.isOurs) return []
  const { base, events, isDistinct } = input
  const more = { pages: extra === 0 ? [] : onePageEach(), times: extra }
  worker.write(JSON.stringify({ base, events, isDistinct, more } satisfies Expectation))
  const { problems } = await worker.event('checked')
  return problems as readonly string[]
}

/** The first page of each partition: what the desk writes when all of them are to have work. */
function onePageEach(): string[] {
  const pages = new Map<number, string>()
  for (let page = 0; pages.size < partitions; page++) {
    const name = pageName(page)
    const partition = murmur2Partitioner.partition(Buffer.from(name), partitions)
    if (!pages.has(partition)) pages.set(partition, name)
  }
  return [...pages.values()]
}
