// W6: a worker echoes; a probe in Java sends at a steady rate and times what comes out.
import { join } from 'node:path'
import type { Figures } from '../report.ts'
import { forget, type KafkaBench, Surroundings, withWorker } from './bench.ts'
import type { Assignment, Candidate } from './candidates.ts'
import { LineProcess } from './line-process.ts'

let runs = 0

/** One run of one candidate: the probe warms everything up, then measures. */
export async function echo(
  bench: KafkaBench,
  candidate: Candidate,
  guarantee: Assignment['guarantee']
): Promise<Figures> {
  const group = `${bench.prefix}echo-${++runs}-${candidate.name}`
  const assignment: Assignment = {
    workload: 'echo',
    guarantee,
    input: `${group}-in`,
    output: `${group}-out`,
    group,
    directory: join(bench.directory, group),
    records: 0
  }
  await bench.desk.create([assignment.input, assignment.output])
  const figures = await withWorker(bench, candidate, assignment, async (worker) => {
    const probe = startProbe(bench, assignment)
    try {
      const measured = await measure(bench, worker, probe)
      await probe.stop()
      await worker.stop()
      return measured
    } finally {
      probe.kill()
    }
  })
  await forget(bench, assignment)
  return figures
}

function startProbe(bench: KafkaBench, { guarantee, input, output }: Assignment): LineProcess {
  const { measureMs, rate, warmMs } = bench.options
  return new LineProcess({
    command: bench.java.command('Probe', { heap: '512m' }),
    env: {
      BROKER: bench.broker.address,
      IN_TOPIC: input,
      OUT_TOPIC: output,
      RATE: String(rate),
      WARM_MS: String(warmMs),
      MEASURE_MS: String(measureMs),
      // Who promises less is not made to wait for more.
      ISOLATION: guarantee === 'exactly-once' ? 'read_committed' : 'read_uncommitted'
    },
    errors: join(bench.directory, `probe-${runs}.err`)
  })
}

async function measure(
  bench: KafkaBench,
  worker: LineProcess,
  probe: LineProcess
): Promise<Figures> {
  // When the worker ends by itself, nothing more comes.
  const event = (name: string): ReturnType<LineProcess['event']> =>
    Promise.race([probe.event(name), worker.event('ended')])
  const { t: from } = await event('measuring')
  const cpuBefore = worker.cpuMs()
  const surroundings = new Surroundings(bench, worker)
  const { t: to } = await event('measured')
  const processors = (worker.cpuMs() - cpuBefore) / (to - from)
  const around = surroundings.figures(worker)
  const { maxMs, missing, n, p50Ms, p90Ms, p99Ms, twice } = await event('latency')
  if (missing !== 0) throw new Error(`${String(missing)} of ${String(n)} messages never came back`)
  return {
    p50Ms: Number(p50Ms),
    p90Ms: Number(p90Ms),
    p99Ms: Number(p99Ms),
    maxMs: Number(maxMs),
    messages: Number(n),
    cameTwice: Number(twice),
    cpuMicrosPerEvent: (processors * 1e6) / bench.options.rate,
    rssMbPeak: worker.peakMb(),
    ...around
  }
}
