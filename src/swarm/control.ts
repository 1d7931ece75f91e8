// The control port of a swarm with the word that leads to it: there from before the first node
// starts until the last one has ended.
import { messageOf } from '../core/errors.ts'
import type { ControlPlace } from '../host/control-place.ts'
import type { SwarmDescription } from '../host/swarm-description.ts'
import type { Log } from '../runtime/log.ts'
import { removeControlFile, writeControlFile } from './control-file.ts'
import type { Controlled } from './control-routes.ts'
import { startControl } from './control-server.ts'

export interface ControlParts {
  readonly supervisor: Controlled
  readonly description: SwarmDescription
  readonly log: Log
  readonly pid: number
}

export interface Control {
  /** With the port that it has. */
  readonly place: ControlPlace
  close(): Promise<void>
}

/**
 * Resolves when it answers.
 *
 * @throws TAILRACE_SWARM_PORT
 */
export async function openControl(parts: ControlParts): Promise<Control> {
  const { description, log, pid, supervisor } = parts
  const { app, control, directory, swarm } = description
  const server = await startControl(control, {
    supervisor,
    controlTimeoutMs: swarm.controlTimeoutMs,
    rssBytes: () => process.memoryUsage.rss(),
    log
  })
  const { host, port } = server
  try {
    await writeControlFile(directory, { app, pid, host, port })
  } catch (error) {
    // It runs all the same, and is found by its port.
    log.warn({}, `commands find this swarm only by --control-port ${port}: ${messageOf(error)}`)
  }
  const close = async (): Promise<void> => {
    await server.close()
    await removeControlFile(directory, pid)
  }
  return { place: { host, port }, close }
}
