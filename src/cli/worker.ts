// `worker`: runs one, alone or as a node of a swarm, or takes a static one out of its group.
import { endWithSupervisor, takeNodePlace } from '../host/node-place.ts'
import { openContext } from './context.ts'
import type { Given } from './flags.ts'

export { leave } from './leave.ts'

/** Ends the process. */
export async function work(given: Given): Promise<void> {
  const place = takeNodePlace(process.env)
  // Before the app is imported, which may take long, or for ever.
  const watch = place === undefined ? undefined : endWithSupervisor(place)
  const { app, isJson } = await openContext(given)
  if (place !== undefined) app.runner.useNode(place)
  await app.runner.work({ isJson, onKeeper: () => watch?.end() })
}
