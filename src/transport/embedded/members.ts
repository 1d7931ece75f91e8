// groups.db: who joined which group with what, and when each was last heard of.

import { randomUUID } from 'node:crypto'
import type { TaskSpec } from '../../core/task-spec.ts'
import type { JoinRequest } from '../../port/coordinator.ts'
import type { ProcessIdentity } from './boot.ts'
import { processIdentity, systemMonotonicMs } from './boot.ts'
import type { Row } from './database.ts'
import { Database, integer, text } from './database.ts'
import type { Heartbeat } from './liveness.ts'
import type { Log } from './log.ts'
import { groupsSchema } from './schema.ts'

export interface Member extends Heartbeat {
  readonly id: string
  /** New at each join: tells two processes apart that use one member id. */
  readonly incarnation: string
}

/** What a member joined with. */
export interface Joined {
  readonly topologyHash: string
  readonly tasks: readonly TaskSpec[]
  readonly url: string | undefined
}

/** What became of a heartbeat. */
export type BeatResult = 'known' | 'expired' | 'replaced'

const upsertMember = `
  INSERT INTO member VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET beat_ms = excluded.beat_ms, session_ms = excluded.session_ms,
    boot = excluded.boot, namespace = excluded.namespace, pid = excluded.pid,
    incarnation = excluded.incarnation`
const upsertJoined = `
  INSERT INTO joined VALUES (?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET topology = excluded.topology, tasks = excluded.tasks,
    url = excluded.url`

export class Members {
  readonly #database: Database
  readonly #identity: ProcessIdentity = processIdentity()

  private constructor(database: Database) {
    this.#database = database
  }

  static async open(log: Log): Promise<Members> {
    const { clock, paths } = log
    const database = await Database.open({
      file: paths.groups,
      directory: paths.directory,
      schema: groupsSchema,
      // Heartbeats are evidence of the last seconds: nothing of them is worth a disk's time.
      synchronous: 'normal',
      clock
    })
    return new Members(database)
  }

  get identity(): ProcessIdentity {
    return this.#identity
  }

  /** Enters or replaces the member; answers its incarnation. */
  async enter(request: JoinRequest): Promise<string> {
    const incarnation = randomUUID()
    const { group, memberId, sessionTimeoutMs, topologyHash, tasks, url } = request
    const { boot, pidNamespace, pid } = this.#identity
    await this.#database.transaction(() => {
      this.#database.run(
        upsertMember,
        ...[group, memberId, systemMonotonicMs(), sessionTimeoutMs],
        ...[boot, pidNamespace, pid, incarnation]
      )
      this.#database.run(
        upsertJoined,
        ...[group, memberId, topologyHash, JSON.stringify(tasks), url ?? null]
      )
    })
    return incarnation
  }

  async beat(group: string, { id, incarnation }: MemberKey): Promise<BeatResult> {
    return this.#database.transaction(() => {
      const changed = this.#database.run(
        'UPDATE member SET beat_ms = ? WHERE "group" = ? AND id = ? AND incarnation = ?',
        systemMonotonicMs(),
        group,
        id,
        incarnation
      )
      if (changed > 0) return 'known'
      const select = 'SELECT 1 AS one FROM member WHERE "group" = ? AND id = ?'
      return this.#database.get(select, group, id) === undefined ? 'expired' : 'replaced'
    })
  }

  list(group: string): readonly Member[] {
    const rows = this.#database.all('SELECT * FROM member WHERE "group" = ? ORDER BY id', group)
    return rows.map(memberOf)
  }

  /** Large with many tasks, so it is read only when the members changed. */
  joined(group: string): ReadonlyMap<string, Joined> {
    const rows = this.#database.all('SELECT * FROM joined WHERE "group" = ?', group)
    return new Map(rows.map((row) => [text(row, 'id'), joinedOf(row)]))
  }

  /** Removes members, unless they beat or joined anew since they were read. */
  async remove(group: string, members: readonly MemberKey[]): Promise<void> {
    await this.#database.transaction(() => {
      for (const { id, incarnation, beatMs } of members) {
        const removed = this.#database.run(
          `DELETE FROM member
           WHERE "group" = ? AND id = ? AND incarnation = ? AND beat_ms = coalesce(?, beat_ms)`,
          group,
          id,
          incarnation,
          beatMs ?? null
        )
        if (removed === 0) continue
        this.#database.run('DELETE FROM joined WHERE "group" = ? AND id = ?', group, id)
      }
    })
  }

  close(): void {
    this.#database.close()
  }
}

export interface MemberKey {
  readonly id: string
  readonly incarnation: string
  readonly beatMs?: number
}

function memberOf(row: Row): Member {
  return {
    id: text(row, 'id'),
    incarnation: text(row, 'incarnation'),
    beatMs: integer(row, 'beat_ms'),
    sessionMs: integer(row, 'session_ms'),
    identity: {
      boot: text(row, 'boot'),
      pidNamespace: text(row, 'namespace'),
      pid: integer(row, 'pid')
    }
  }
}

function joinedOf(row: Row): Joined {
  const tasks: readonly TaskSpec[] = JSON.parse(text(row, 'tasks'))
  const url = row['url']
  return {
    topologyHash: text(row, 'topology'),
    tasks,
    url: typeof url === 'string' ? url : undefined
  }
}
