// The app that bad input is tried on: what a good event does is countable, so that loss, doubling
// and half an effect each show; what a bad one does on top of it is the row's own.
import {
  type App,
  deadLetter,
  type Event,
  type OnError,
  type Schema,
  type Shard,
  type Table,
  tumbling,
  type WindowedShard
} from 'tailrace'
import { z } from 'zod'
import type { AppLog } from './app-log.ts'

/** Good: `{"n":1}`. With `act` the row's own action follows what a good one does. */
const In = z.object({ n: z.number(), act: z.boolean().optional() })
export type In = z.infer<typeof In>

export interface Parts {
  readonly sums: Shard<string, number, number>
  readonly things: Shard<string, unknown, unknown>
  readonly wide: WindowedShard<string, number, number, 'one'>
  readonly out: { send(record: { key: string; value: number }): void }
  readonly strange: {
    send(record: { key: string; value: unknown; headers?: Record<string, string> }): void
  }
}

export type Act = (event: Event<string, In>, parts: Parts) => unknown

export interface Trial {
  readonly onError?: OnError
  readonly act?: Act
  readonly key?: Schema<string, string>
  readonly value?: Schema<In, In>
  /** Schema of the rows of `things`, and of the records of `strange`. */
  readonly thing?: Schema
  readonly timeout?: number
  readonly deadLetter?: string
  readonly recordBytesMax?: number
  /** Below the log's own folder. @default data */
  readonly data?: string
}

export interface BadInputApp {
  readonly app: App
  readonly sums: Table<string, number, number, undefined>
}

export function badInputApp(log: AppLog, trial: Trial): BadInputApp {
  const { recordBytesMax, thing = z.unknown(), timeout } = trial
  const app = log.app({
    deadLetter: trial.deadLetter ?? log.name('dead'),
    datadir: log.place(trial.data ?? 'data'),
    ...(recordBytesMax !== undefined && { recordBytesMax })
  })
  const source = app.topic(log.name('in'), {
    key: trial.key ?? z.string(),
    value: trial.value ?? In
  })
  const out = app.topic(log.name('out'), { key: z.string(), value: z.number(), partitions: 1 })
  const strange = app.topic(log.name('strange'), { key: z.string(), value: thing, partitions: 1 })
  const text = { key: z.string() }
  const count = { ...text, value: z.number(), initial: () => 0 }
  const sums = app.table('sums', count)
  const things = app.table('things', { ...text, value: thing })
  const wide = app.table('wide', { ...count, window: tumbling('1m') })
  app.each(
    'count',
    {
      source,
      tables: { sums, things, wide },
      outputs: { out, strange },
      onError: trial.onError ?? deadLetter(),
      ...(timeout !== undefined && { timeout })
    },
    (event, parts) => {
      const sum = parts.sums.update(event.key, (one) => one + event.value.n)
      parts.out.send({ key: event.key, value: sum })
      parts.wide.at(event).update(event.key, (one) => one + 1)
      return event.value.act === true ? trial.act?.(event, parts) : undefined
    }
  )
  return { app, sums }
}
