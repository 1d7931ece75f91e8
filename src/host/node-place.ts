// A worker as a node of a swarm: which one it is, and how it hears of its supervisor.
import type { NodePlace } from '../runtime/node-place.ts'
import { exitCodes } from './exit-codes.ts'
import type { FromNode, ToNode } from './node-messages.ts'
import { OrphanWatch } from './orphan-watch.ts'

/** Set by the supervisor alone: not an option, so nobody is told of it. */
export const nodeEnvironment = 'TAILRACE_NODE_PLACE'

/** The pipe for health, after the three standard streams and the channel. */
export const healthFd = 4

/**
 * What the supervisor says this process is, and undefined for any other. Taken out of the
 * environment, because a program that a handler starts is no node.
 */
export function takeNodePlace(environment: NodeJS.ProcessEnv): NodePlace | undefined {
  const text = environment[nodeEnvironment]
  delete environment[nodeEnvironment]
  if (text === undefined || process.send === undefined) return undefined
  const place: NodePlace = JSON.parse(text)
  return place
}

/**
 * Ends this process as soon as its supervisor is gone. From the first moment on: the app is still
 * to be imported, and nothing of it is to run that nobody looks after. What it answers does the
 * same where the loop is blocked, until there is a keeper.
 */
export function endWithSupervisor({ supervisorPid }: NodePlace): OrphanWatch {
  const end = (): never => process.exit(exitCodes.orphaned)
  process.on('disconnect', end)
  if (process.ppid !== supervisorPid || !process.connected) end()
  return new OrphanWatch(supervisorPid)
}

/** Tells the supervisor; where it cannot be told it is gone, and that is seen elsewhere. */
export function tellSupervisor(message: FromNode): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
}

/** What the supervisor asks for, from now on. */
export function hearSupervisor(hear: (message: ToNode) => void): void {
  process.on('message', (message: ToNode) => hear(message))
}
