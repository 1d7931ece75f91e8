// An app of two parts that have nothing in common but their group.
import { type App, type AppOptions, createApp, type Topic } from 'tailrace'
import { z } from 'zod'
import { say } from './jobs.ts'

export interface TwoAgents {
  readonly app: App
  readonly left: Topic<string | null, number>
  readonly right: Topic<string | null, number>
}

export function twoAgents(
  suffix = process.env['SCENE_SUFFIX'] ?? '',
  options: Partial<AppOptions> = {}
): TwoAgents {
  const app = createApp({ id: `two${suffix}`, web: false, ...options })
  const left = app.topic(`left${suffix}`, { value: z.int(), partitions: 2 })
  const right = app.topic(`right${suffix}`, { value: z.int(), partitions: 2 })
  for (const [name, source] of [
    ['lefty', left],
    ['righty', right]
  ] as const) {
    app.agent(name, { source }, async (events) => {
      for await (const { value } of events) say('done', { agent: name, id: value })
    })
  }
  return { app, left, right }
}

const { app: only } = twoAgents()
export const app: App = only
