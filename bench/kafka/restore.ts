// W4: a table of so many keys is filled once; then, each time, its local state is deleted, and the
// clock runs from the start of the process until every partition has processed a new record.
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { partitions } from '../page-views.ts'
import type { Figures } from '../report.ts'
import { fillViews, forget, type KafkaBench, membersGone, withWorker } from './bench.ts'
import type { Assignment, Candidate } from './candidates.ts'
import { tableProblems } from './checks.ts'
import type { Input } from './desk.ts'
import type { LineProcess } from './line-process.ts'

const lookEveryMs = 20

/** One round of all candidates after the other, so many times, after each has filled its table. */
export async function restoreRounds(
  bench: KafkaBench,
  candidates: readonly Candidate[],
  guarantee: Assignment['guarantee']
): Promise<Map<Candidate, Figures[]>> {
  const { desk, options } = bench
  const tables = new Map<Candidate, Restored>()
  for (const candidate of candidates) {
    // A topic each: what one of them is sent to see it work must not be work for the others.
    const name = `distinct-${guarantee}-${candidate.name}`
    const input = await fillViews(bench, name, options.events ?? 1_000_000, true)
    const table = new Restored(bench, candidate, { guarantee, input })
    await table.fill()
    tables.set(candidate, table)
  }
  const figures = new Map<Candidate, Figures[]>(candidates.map((one) => [one, []]))
  for (let round = 1; round <= options.runs; round++) {
    for (const [candidate, table] of tables) {
      const one = await table.restore(round)
      figures.get(candidate)?.push(one)
      console.error(`${round}/${options.runs} W4 ${candidate.name}: ${JSON.stringify(one)}`)
    }
  }
  for (const table of tables.values()) await table.forget()
  await desk.delete(`${bench.prefix}distinct-`)
  return figures
}

class Restored {
  readonly #bench: KafkaBench
  readonly #candidate: Candidate
  readonly #input: Input
  readonly #assignment: Assignment

  constructor(
    bench: KafkaBench,
    candidate: Candidate,
    { guarantee, input }: { readonly guarantee: Assignment['guarantee']; readonly input: Input }
  ) {
    const group = `${bench.prefix}restore-${guarantee}-${candidate.name}`
    this.#bench = bench
    this.#candidate = candidate
    this.#input = input
    this.#assignment = {
      workload: 'w1',
      guarantee,
      input: input.topic,
      output: `${group}-out`,
      group,
      directory: join(bench.directory, group),
      records: input.events
    }
  }

  async fill(): Promise<void> {
    await withWorker(this.#bench, this.#candidate, this.#assignment, async (worker) => {
      await this.#allCommitted(worker)
      await this.#check(worker, 0)
      await worker.stop()
    })
    await membersGone(this.#bench.desk, this.#assignment.group)
  }

  async restore(round: number): Promise<Figures> {
    const { desk } = this.#bench
    const { directory, group } = this.#assignment
    await rm(directory, { recursive: true, force: true })
    await mkdir(directory)
    await desk.writeOneEach(this.#input)
    const assignment = { ...this.#assignment, records: partitions }
    const figures = await withWorker(this.#bench, this.#candidate, assignment, async (worker) => {
      const { t: processing } = await worker.event('last')
      const cpuMs = worker.cpuMs()
      const rssMbPeak = worker.peakMb()
      // A table that is served before it is on disk says so later than it processes.
      const stored = await storedAt(worker)
      await this.#allCommitted(worker)
      await this.#check(worker, round)
      await worker.stop()
      const seconds = (processing - worker.startedAt) / 1_000
      return {
        recordsPerSecond: this.#input.events / seconds,
        processingSeconds: seconds,
        storedSeconds: (stored - worker.startedAt) / 1_000,
        cpuSeconds: cpuMs / 1_000,
        rssMbPeak
      }
    })
    await membersGone(desk, group)
    return figures
  }

  async forget(): Promise<void> {
    await forget(this.#bench, this.#assignment)
  }

  async #allCommitted(worker: LineProcess): Promise<void> {
    const { desk } = this.#bench
    const end = await desk.ends(this.#input.topic)
    while ((await desk.committed(this.#assignment.group, this.#input.topic)) < end) {
      worker.check()
      await sleep(lookEveryMs)
    }
  }

  async #check(worker: LineProcess, extra: number): Promise<void> {
    const table = { candidate: this.#candidate, worker, input: this.#input, extra }
    const whole = { ...table, assignment: this.#assignment }
    const problems = await tableProblems(this.#bench, whole)
    if (problems.length === 0) return
    throw new Error(`the table of ${this.#candidate.name} is wrong:\n${problems.join('\n')}`)
  }
}

/** When the last restored record was in the store: ours says so, Kafka Streams for each part. */
async function storedAt(worker: LineProcess): Promise<number> {
  const parts = worker.said.filter(({ ev }) => ev === 'restoreEnd')
  const last = parts.at(-1)
  return last === undefined ? (await worker.event('restored')).t : last.t
}
