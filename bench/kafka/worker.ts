// Tailrace as it is measured on Kafka: one app, one worker, told by the environment what to run, as
// every peer is. What is on stdout is read by the process that measures.
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { countByMinute, countDistinct, type Load } from '../page-views.ts'
import { type Job, programOf } from '../programs.ts'
import { problemsOf } from '../table-check.ts'

/** The input whose fold the table must be. */
export interface Expectation extends Load {
  readonly isDistinct: boolean
  /** These pages were viewed so often once more. */
  readonly more: { readonly pages: readonly string[]; readonly times: number }
}

const env = (name: string): string => process.env[name] ?? ''
const programs = { w1: 'count', w2: 'produce', echo: 'echo' } as const
const records = Number(env('N'))

const job: Job = {
  program: programs[env('WORKLOAD') as keyof typeof programs],
  form: env('FORM') === 'handler' ? 'handler' : 'loop',
  appId: env('GROUP'),
  broker: `kafka://${env('BROKER')}`,
  guarantee: env('EOS') === '1' ? 'exactly-once' : 'at-least-once',
  datadir: join(env('STATE_DIR'), 'data'),
  input: env('IN_TOPIC'),
  output: env('OUT_TOPIC'),
  commitInterval: `${env('COMMIT_MS')}ms`,
  retention: '2h',
  events: records,
  base: 0,
  warmUp: 0,
  keptFrom: 0,
  watchesLoop: false
}

// As `tailrace worker` does; this process runs the compiled package.
const heap = new URL('../../dist/host/heap.js', import.meta.url).href
const { boundHeapGrowth } = (await import(heap)) as typeof import('../../src/host/heap.ts')
boundHeapGrowth()

let seen = 0
const program = programOf(job, () => {
  seen++
  if (seen === 1) say('first')
  if (seen === records) say('last')
})
const worker = await program.app.start({ web: false })
say('restored', { records: worker.status().counters.restoredRecords })

// The parent asks for the comparison of the table with the input that it describes; when it is
// gone, nobody else would end this process.
const lines = createInterface(process.stdin)
lines.on('line', (line) => void check(JSON.parse(line)))
lines.on('close', () => process.exit())

process.once('SIGTERM', () => {
  void worker.stop().then(() => process.exit())
})

async function check({ isDistinct, more, ...load }: Expectation): Promise<void> {
  const expected = isDistinct ? countDistinct(load, more) : countByMinute(load, 0)
  say('checked', { problems: await problemsOf(program, expected, 0) })
}

function say(ev: string, more: object = {}): void {
  process.stdout.write(`${JSON.stringify({ ev, t: Date.now(), n: seen, ...more })}\n`)
}
