// The two small records of a LevelDB store: whose it is, and how far each shard has read.

import type { ClassicLevel } from 'classic-level'
import { TailraceError } from '../core/errors.ts'
import type { Checkpoint, StoreIdentity } from '../port/store.ts'
import { metaKey } from './level-keys.ts'

/** Raised when keys or values change their form; an older version then refuses the store. */
const format = 1

interface Place {
  readonly identity: StoreIdentity
  readonly directory: string
}

/** Writes the owner into a new database, and refuses one that has another owner. */
export async function claimIdentity(
  db: ClassicLevel<Uint8Array, Uint8Array>,
  { identity, directory }: Place
): Promise<void> {
  const bytes = db.getSync(metaKey)
  if (bytes === undefined) {
    const rows = await db.iterator({ limit: 1, values: false }).all()
    if (rows.length > 0) {
      throw new TailraceError(
        'TAILRACE_STATE_FOREIGN',
        `The directory ${directory} holds a LevelDB database that Tailrace did not write.`
      )
    }
    await db.put(metaKey, toBytes({ format, app: identity.app }), { sync: true })
    return
  }
  refuseForeign(parseRecord(bytes), { identity, directory })
}

function refuseForeign(meta: Readonly<Record<string, unknown>>, place: Place): void {
  const { identity, directory } = place
  if (typeof meta['format'] !== 'number' || typeof meta['app'] !== 'string') {
    throw new TailraceError(
      'TAILRACE_STATE_CORRUPT',
      `The first row of the store ${directory} does not say whose it is.`,
      { hint: `Delete ${directory}: it is rebuilt from the changelogs.` }
    )
  }
  if (meta['format'] > format) {
    throw new TailraceError(
      'TAILRACE_STATE_FOREIGN',
      `The store ${directory} has format ${meta['format']}; this version reads up to ${format}.`
    )
  }
  if (meta['app'] !== identity.app) {
    throw new TailraceError(
      'TAILRACE_STATE_FOREIGN',
      `The store ${directory} belongs to the app "${meta['app']}", not to "${identity.app}".`
    )
  }
}

export function serializeCheckpoint({ topicId, offset, leaderEpoch }: Checkpoint): Uint8Array {
  return toBytes({ topicId, offset, leaderEpoch })
}

/** `undefined` when the bytes are not a checkpoint. */
export function parseCheckpoint(bytes: Uint8Array): Checkpoint | undefined {
  const { topicId, offset, leaderEpoch } = parseRecord(bytes)
  if (typeof topicId !== 'string') return undefined
  if (typeof offset !== 'number' || !Number.isSafeInteger(offset)) return undefined
  if (typeof leaderEpoch !== 'number' || !Number.isSafeInteger(leaderEpoch)) return undefined
  return { topicId, offset, leaderEpoch }
}

function toBytes(record: Readonly<Record<string, string | number>>): Uint8Array {
  return Buffer.from(JSON.stringify(record), 'utf8')
}

/** An empty record stands for bytes that are none: the caller then misses its fields. */
function parseRecord(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
