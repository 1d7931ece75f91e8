// W1 and W2: a topic is full, a worker reads it to its end, and the clock stops when the broker
// holds the offsets of all of it. The first quarter of the records warms up.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Figures } from '../report.ts'
import { fillViews, forget, type KafkaBench, Surroundings, withWorker } from './bench.ts'
import type { Assignment, Candidate } from './candidates.ts'
import { tableProblems } from './checks.ts'
import type { Input } from './desk.ts'
import type { LineProcess } from './line-process.ts'

/** Seldom, since looking takes of the worker's processors. */
const lookEveryMs = 100
const warmUpShare = 0.25

let runs = 0
const inputs = new Map<number, Input>()

/** The same topic for everybody, and for every workload of this run that has so many events. */
export async function viewsFor(bench: KafkaBench, events: number): Promise<Input> {
  const known = inputs.get(events)
  if (known !== undefined) return known
  const input = await fillViews(bench, `views-${events}`, events)
  inputs.set(events, input)
  return input
}

export interface Consumption {
  readonly workload: 'w1' | 'w2'
  readonly guarantee: Assignment['guarantee']
  readonly input: Input
  /** Compare the result with the fold of the input. */
  readonly isChecked: boolean
}

/** One run of one candidate. */
export async function consume(
  bench: KafkaBench,
  candidate: Candidate,
  { guarantee, input, isChecked, workload }: Consumption
): Promise<Figures> {
  const group = `${bench.prefix}${++runs}-${candidate.name}`
  const assignment: Assignment = {
    workload,
    guarantee,
    input: input.topic,
    output: `${group}-out`,
    group,
    directory: join(bench.directory, group),
    records: input.events
  }
  if (workload === 'w2') await bench.desk.create([assignment.output])
  const figures = await withWorker(bench, candidate, assignment, async (worker) => {
    const measured = await measure(bench, worker, assignment)
    const isWhole = measured['committedEvents'] === input.events
    if (isChecked && isWhole) {
      const problems =
        workload === 'w1'
          ? await tableProblems(bench, { candidate, worker, assignment, input, extra: 0 })
          : (await bench.desk.checkVisits(assignment.output, input)).problems
      if (problems.length > 0) {
        throw new Error(`the result of ${candidate.name} is wrong:\n${problems.join('\n')}`)
      }
    }
    await worker.stop()
    return measured
  })
  await forget(bench, assignment)
  return figures
}

interface Look {
  readonly at: number
  readonly committed: number
  readonly cpuMs: number
}

async function measure(
  bench: KafkaBench,
  worker: LineProcess,
  { group, input, records }: Assignment
): Promise<Figures> {
  const surroundings = new Surroundings(bench, worker)
  const first = (await worker.event('first')).t
  const endAt = first + bench.options.cutMs
  const look = (committed: number): Look => ({ at: Date.now(), committed, cpuMs: worker.cpuMs() })
  let warm: Look | undefined
  let committed = 0
  while (committed < records && Date.now() < endAt) {
    await sleep(lookEveryMs)
    worker.check()
    committed = await bench.desk.committed(group, input)
    if (committed >= records * warmUpShare) warm ??= look(committed)
  }
  const end = look(committed)
  // A commit may hold everything at once where there are few events: there is no warm part then.
  const from = warm === undefined || warm.committed === end.committed ? undefined : warm
  const since = from ?? { at: first, committed: 0, cpuMs: 0 }
  const events = end.committed - since.committed
  return {
    eventsPerSecond: (events * 1_000) / (end.at - since.at),
    coldEventsPerSecond: (end.committed * 1_000) / (end.at - first),
    cpuMicrosPerEvent: ((end.cpuMs - since.cpuMs) * 1_000) / events,
    // From the start of the process, so that all it compiles is in it.
    coldCpuMicrosPerEvent: (end.cpuMs * 1_000) / end.committed,
    rssMbPeak: worker.peakMb(),
    startSeconds: (first - worker.startedAt) / 1_000,
    measuredSeconds: (end.at - since.at) / 1_000,
    committedEvents: end.committed,
    ...surroundings.figures(worker)
  }
}
