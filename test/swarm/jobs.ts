// The app that the tests of a swarm run and break: jobs that do to their node what they say.
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type App, type AppOptions, createApp, type Table, type Topic } from 'tailrace'
import { z } from 'zod'

const Job = z.object({
  id: z.int(),
  does: z
    .enum(['nothing', 'exit', 'compute', 'wait', 'never', 'fill', 'block-at-exit'])
    .default('nothing'),
  ms: z.int().default(0)
})

export type Job = z.infer<typeof Job>

export interface JobsApp {
  readonly app: App
  readonly jobs: Topic<string, Job, string, z.input<typeof Job>>
  readonly counts: Table<string, number, number, undefined>
}

export const partitions = 4

const kept: Buffer[] = []

function computeForLong(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until) Math.hypot(performance.now(), until)
}

async function doJob({ does, ms }: Job): Promise<void> {
  if (process.env['JOBS'] === 'harmless') return
  switch (does) {
    case 'nothing':
      return
    case 'exit':
      return process.exit(ms)
    case 'compute':
      return computeForLong(ms)
    case 'wait':
      return sleep(ms)
    case 'never':
      return new Promise(() => undefined)
    case 'fill':
      // Not zero, so that it is resident.
      kept.push(Buffer.alloc(ms * 1_000_000, 1))
      return
    case 'block-at-exit':
      process.on('exit', () => computeForLong(ms))
      return
  }
}

/** At once, by whatever the job is ended next. */
export function say(what: string, fields: object): void {
  writeSync(1, `~${what} ${JSON.stringify({ ...fields, pid: process.pid })}\n`)
}

export interface JobsOptions extends Omit<AppOptions, 'id'> {
  /** @default SCENE_SUFFIX of the environment */
  readonly suffix?: string
}

export function jobsApp(given: JobsOptions = {}): JobsApp {
  const { suffix = process.env['SCENE_SUFFIX'] ?? '', ...options } = given
  const app = createApp({ id: `jobs${suffix}`, web: false, ...options })
  const jobs = app.topic(`jobs${suffix}`, { key: z.string(), value: Job, partitions })
  const counts = app.table('counts', {
    key: z.string(),
    value: z.int(),
    initial: () => 0,
    // Jobs are sent to the partition that a test means, whatever their key.
    scope: 'partition'
  })
  app.agent('work', { source: jobs, tables: { counts } }, async (events, { counts }, task) => {
    for await (const { key, value } of events) {
      say('begins', { id: value.id, partition: task.partition })
      await doJob(value)
      counts.update(key, (count) => count + 1)
      say('done', { id: value.id, partition: task.partition })
    }
  })
  return { app, jobs, counts }
}

export const { app, jobs, counts }: JobsApp = jobsApp()
