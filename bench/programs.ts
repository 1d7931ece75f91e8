// The apps that are measured: what the peers run, written as a user of Tailrace would.
import { type App, createApp, tumbling } from 'tailrace'
import { z } from 'zod'
import { inputTopic, partitions, windowMs } from './page-views.ts'

/** What a worker process is asked to run. */
export interface Job {
  readonly program: 'count' | 'produce' | 'echo'
  readonly form: 'loop' | 'handler'
  readonly appId: string
  readonly broker: string
  /** The app's own default where it is left out. */
  readonly guarantee?: 'exactly-once' | 'at-least-once'
  readonly datadir: string
  /** `page_views` where it is left out. */
  readonly input?: string
  /** Named by the app where it is left out. */
  readonly output?: string
  readonly commitInterval: string
  /** How long windows are kept. */
  readonly retention: string
  /** Records to finish; 0 to run until told. */
  readonly events: number
  readonly base: number
  /** Events after which the clock of the measurement starts. */
  readonly warmUp: number
  /** Windows that start at or after this cannot have expired at the end. */
  readonly keptFrom: number
  readonly watchesLoop: boolean
}

export interface Program {
  readonly app: App
  /** Rows of the table. */
  readonly rows: () => AsyncIterable<readonly [string, { readonly start: number; value: number }]>
}

const PageView = z.object({
  id: z.string(),
  user_id: z.string(),
  page_id: z.string(),
  timestamp: z.number()
})
const Visit = z.object({ page: z.string(), user: z.string(), ts: z.number() })

export const outputOf = (appId: string): string => `${appId}-out`

export function programOf(job: Job, onEvent: () => void): Program {
  const { appId, broker, commitInterval, datadir, guarantee } = job
  const app = createApp({
    id: appId,
    broker,
    commitInterval: commitInterval as '1s',
    datadir,
    ...(guarantee && { guarantee })
  })
  switch (job.program) {
    case 'count':
      return counting(app, job, onEvent)
    case 'produce':
      return producing(app, job, onEvent)
    case 'echo':
      return echoing(app, job, onEvent)
  }
}

function counting(app: App, { form, input, retention }: Job, onEvent: () => void): Program {
  const source = app.topic(input ?? inputTopic, { key: z.string(), value: PageView, partitions })
  const views = app.table('views', {
    key: z.string(),
    value: z.number().int(),
    initial: () => 0,
    window: tumbling(windowMs, { retention: retention as '1d' })
  })
  const tables = { views }
  const add = (count: number): number => count + 1
  if (form === 'loop') {
    app.agent('count', { source, tables }, async (events, { views }) => {
      for await (const event of events) {
        onEvent()
        views.at(event).update(event.key, add)
      }
    })
  } else {
    app.each('count', { source, tables }, (event, { views }) => {
      onEvent()
      views.at(event).update(event.key, add)
    })
  }
  return { app, rows: () => views.scan({ limit: Number.MAX_SAFE_INTEGER }) }
}

/** Every second view goes on, in another form. */
function producing(app: App, { form, input, output }: Job, onEvent: () => void): Program {
  const source = app.topic(input ?? inputTopic, { key: z.string(), value: PageView, partitions })
  const out = app.topic(output ?? outputOf(app.id), { key: z.string(), value: Visit, partitions })
  const visits = app
    .stream(source)
    .tap(onEvent)
    .filter(({ value }) => (value.user_id.charCodeAt(value.user_id.length - 1) & 1) === 0)
    .map(({ value }) => ({ page: value.page_id, user: value.user_id, ts: value.timestamp }))
  const outputs = { out }
  if (form === 'loop') {
    app.agent('visits', { source: visits, outputs }, async (events, { out }) => {
      for await (const { key, value } of events) out.send({ key, value })
    })
  } else {
    app.each('visits', { source: visits, outputs }, ({ key, value }, { out }) => {
      out.send({ key, value })
    })
  }
  return { app, rows: noRows }
}

/** What comes in goes out, as it is. */
function echoing(app: App, { form, input, output }: Job, onEvent: () => void): Program {
  const source = app.topic(input ?? inputTopic, { key: z.string(), value: z.unknown(), partitions })
  const out = app.topic(output ?? outputOf(app.id), {
    key: z.string(),
    value: z.unknown(),
    partitions
  })
  const outputs = { out }
  if (form === 'loop') {
    app.agent('echo', { source, outputs }, async (events, { out }) => {
      for await (const { key, value } of events) {
        onEvent()
        out.send({ key, value })
      }
    })
  } else {
    app.each('echo', { source, outputs }, ({ key, value }, { out }) => {
      onEvent()
      out.send({ key, value })
    })
  }
  return { app, rows: noRows }
}

async function* noRows(): AsyncGenerator<never> {
  // No table here.
}
