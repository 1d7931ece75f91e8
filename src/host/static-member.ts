// Static members of a Kafka group: what a worker is called there, and how it is taken out for good.
import { hostname } from 'node:os'
import { basename } from 'node:path'
import { TailraceError } from '../core/errors.ts'
import type { Transport } from '../port/transport.ts'
import type { NodePlace } from '../runtime/node-place.ts'
import type { KafkaChoice, ResolvedOptions } from './options.ts'
import { claimWorkerDirectory } from './worker-directory.ts'

/** The name that stays the same over restarts; undefined for a member that is not static. */
export function staticIdOf(
  { kafka }: ResolvedOptions,
  directory: string | undefined,
  node?: NodePlace
): string | undefined {
  if (node !== undefined) return nodeStaticId(kafka, node)
  if (kafka.instanceId !== undefined) return kafka.instanceId
  if (!kafka.isStatic) return undefined
  if (directory === undefined) {
    throw new TailraceError(
      'TAILRACE_CONFIG_INVALID',
      'a static member is named by its data directory, and tables in memory have none',
      { hint: 'Give each worker an `instanceId` of its own.' }
    )
  }
  return `${hostname()}-${basename(directory)}`
}

/** A node is in one group, whatever it was told to run: its position there is the first. */
const position = 0

function nodeStaticId(
  { instanceId, isStatic }: KafkaChoice,
  { id }: NodePlace
): string | undefined {
  const prefix = instanceId ?? (isStatic ? hostname() : undefined)
  return prefix === undefined ? undefined : `${prefix}_${id}_${position}`
}

export interface Leaving {
  readonly group: string
  readonly instanceId: string
  /** False when it was no member: its session was over, or it had never joined. */
  readonly wasMember: boolean
}

/**
 * Takes the static member out whose worker has stopped: its tasks move at once.
 *
 * @throws TAILRACE_STATE_LOCKED while the worker of a named data directory runs
 */
export async function leaveGroup(parts: {
  readonly app: string
  readonly options: ResolvedOptions
  readonly open: () => Promise<Transport>
}): Promise<Leaving> {
  const { app, options } = parts
  const isNamed = options.kafka.instanceId !== undefined
  // Held meanwhile, so that no worker starts under the name.
  const directory = isNamed ? undefined : await claimWorkerDirectory(app, options)
  try {
    const always = { ...options, kafka: { ...options.kafka, isStatic: true } }
    const instanceId = staticIdOf(always, directory?.path) ?? ''
    const transport = await parts.open()
    try {
      const coordinator = await transport.coordinator()
      try {
        if (coordinator.evict === undefined) throw withoutStatic(transport)
        return { group: app, instanceId, wasMember: await coordinator.evict(app, instanceId) }
      } finally {
        await coordinator.close()
      }
    } finally {
      await transport.close()
    }
  } finally {
    await directory?.release()
  }
}

function withoutStatic({ url }: Transport): TailraceError {
  return new TailraceError('TAILRACE_CONFIG_INVALID', `the log ${url} has no static members`, {
    hint: 'Only Kafka has them; elsewhere a worker that stops has left.'
  })
}
