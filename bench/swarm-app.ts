// The app that the bench runs as a swarm: an event takes the processor for as long, and is counted.
import { type AppOptions, createApp } from 'tailrace'
import { z } from 'zod'

export const appName = 'computing'
export const inputTopic = 'jobs'
/** So that one, two and three nodes have as many each. */
export const partitions = 12

/** Turns of the loop that an event takes: given, so that every node does the same work. */
const turns = Number(process.env['BENCH_TURNS'] ?? 0)

/** All that it declares but its agent: also for who sends to it, and for who looks at its table. */
export function declared(options: AppOptions) {
  const app = createApp(options)
  const jobs = app.topic(inputTopic, { key: z.string(), value: z.int(), partitions })
  const done = app.table('done', {
    key: z.string(),
    value: z.int(),
    initial: () => 0,
    // Jobs are spread over the partitions in turn, whatever their key.
    scope: 'partition'
  })
  return { app, jobs, done }
}

export const { app, jobs, done } = declared({ id: appName, web: false })

const turnsAtOnce = 100

/** Work that nothing can leave out. Of one long loop V8 makes slow code or fast code, by chance. */
export function compute(count: number, seed: number): number {
  let sum = seed
  for (let turn = 0; turn < count; turn += turnsAtOnce) sum = someTurns(sum)
  return sum
}

function someTurns(seed: number): number {
  let sum = seed
  for (let turn = 0; turn < turnsAtOnce; turn++) sum = (Math.imul(sum, 31) + turn) | 0
  return sum
}

app.agent('compute', { source: jobs, tables: { done } }, async (events, { done }) => {
  for await (const { key, value } of events) {
    const isOdd = compute(turns, value) & 1
    // Counted whatever comes out, so that all of it has to be worked out.
    done.update(key, (count) => count + (isOdd | 1))
  }
})
