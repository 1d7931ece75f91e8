// `swarm-describe`: what a supervisor must know of the app, as JSON on a pipe of its own. It also
// is the first to compile the app, and leaves what it compiled for the nodes.
import { writeFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { descriptionFd } from '../swarm/describe-app.ts'
import type { CommandContext } from './context.ts'

export async function describe({ app }: CommandContext): Promise<void> {
  const description = await app.runner.describe()
  flushCompileCache()
  writeFileSync(descriptionFd, JSON.stringify(description))
}
