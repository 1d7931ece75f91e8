// `npm run demo`: the worker of main.ts and its visitors, in one process.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'tailrace'
import { app, pageViews, report } from './main.ts'
import { type DemoOptions, demoOptions } from './options.ts'
import { sendVisits } from './visitors.ts'

const options = demoOptions(process.argv.slice(2))
if (options.isExit) await measure(options)
else await serve(options)

/** A worker until Ctrl-C; killed with -9 and started again it goes on where it was. */
async function serve({ rate, events, flags }: DemoOptions): Promise<void> {
  app.runner.useFlags(flags)
  app.task('visitors', {}, async ({ signal }) => {
    const { sent } = await sendVisits({ rate, signal, ...(events !== undefined && { events }) })
    if (!signal.aborted) console.log(`sent ${sent} page views; /report/ shows them`)
  })
  await app.main()
}

/** Sends, counts what the table holds, says both. The sender shares the process and its time. */
async function measure({ events = 0, rate, isJson, flags }: DemoOptions): Promise<void> {
  const own = await mkdtemp(join(tmpdir(), 'tailrace-demo-'))
  try {
    const isElsewhere =
      flags['broker'] !== undefined || process.env['TAILRACE_BROKER'] !== undefined
    const fresh = { broker: `embedded:${join(own, 'log')}`, datadir: join(own, 'data') }
    app.runner.useFlags(isElsewhere ? flags : { ...fresh, ...flags })
    const worker = await app.start({ web: false })
    const before = await total()

    const started = performance.now()
    const { sent, ends } = await sendVisits({ rate, events })
    const sendSeconds = (performance.now() - started) / 1_000
    await untilRead(worker, ends)
    const counted = (await total()) - before
    await worker.stop({ reason: 'all is counted' })
    // The stop is part of it: it commits the last of what was counted.
    const seconds = (performance.now() - started) / 1_000

    const rounded = Number(seconds.toFixed(3))
    const eventsPerSecond = Math.round(counted / seconds)
    if (!isJson) console.log(prose({ sent, counted, seconds, sendSeconds }))
    else console.log(JSON.stringify({ sent, counted, seconds: rounded, eventsPerSecond }))
    process.exitCode = sent === counted ? 0 : 1
  } finally {
    await rm(own, { recursive: true, force: true })
  }
}

interface Result {
  readonly sent: number
  readonly counted: number
  readonly seconds: number
  readonly sendSeconds: number
}

function prose({ sent, counted, seconds, sendSeconds }: Result): string {
  return [
    `sent      ${sent} page views in ${sendSeconds.toFixed(2)} s, by this same process`,
    `counted   ${counted}, by adding up every window and partition of the table "views"`,
    `measured  ${seconds.toFixed(2)} s from the first send to the last commit, ` +
      `${Math.round(counted / seconds)} a second`,
    sent === counted ? 'equal' : 'NOT EQUAL'
  ].join('\n')
}

/** The table itself is asked, and not a counter of the program. */
async function total(): Promise<number> {
  const { total, isComplete } = await report()
  if (!isComplete) throw new Error('another worker of this app has some of the partitions')
  return total
}

/** Until the worker has finished every record below these offsets. */
async function untilRead(worker: Worker, ends: ReadonlyMap<number, number>): Promise<void> {
  let isEnded = false
  void worker.ended.then(() => {
    isEnded = true
  })
  const isBehind = (): boolean =>
    [...ends].some(([partition, end]) => {
      const task = worker.status().tasks.find((one) => one.partition === partition)
      return (task?.positions[pageViews.name] ?? 0) < end || task?.openEvent !== undefined
    })
  while (isBehind()) {
    if (isEnded) throw new Error('the worker ended before all was counted')
    await sleep(5)
  }
}
