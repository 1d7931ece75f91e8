// A member of a group as the cases use it: it beats, releases what is revoked, and where a group
// moves on only together (Kafka), it joins the next generation when the others do.

import assert from 'node:assert/strict'
import type { TaskSpec } from '../core/task-spec.ts'
import type {
  BeatAnswer,
  Coordinator,
  GroupView,
  GroupMember as Standing
} from '../port/coordinator.ts'
import type { TaskCommit, TopicPartition } from '../port/transport.ts'
import type { TransportScene } from './transport-scene.ts'

interface JoinParts {
  readonly group?: string
  readonly topologyHash?: string
  readonly url?: string
  readonly sessionTimeoutMs?: number
  /** Default: a connection of its own. */
  readonly coordinator?: Coordinator
}

/** Members of a group that moves on only together: whoever waits, waits for all of them. */
const together = new WeakMap<TransportScene, Set<GroupMember>>()

/** Joins, by default over a connection of its own. */
export async function joinGroup(
  scene: TransportScene,
  memberId: string,
  tasks: readonly TaskSpec[],
  parts: JoinParts = {}
): Promise<GroupMember> {
  const coordinator = parts.coordinator ?? (await (await scene.connect()).coordinator())
  const sessionTimeoutMs = parts.sessionTimeoutMs ?? scene.features.sessionTimeoutMs
  const group = scene.named(parts.group ?? 'group')
  const member = new GroupMember(coordinator, { group, memberId, scene })
  await coordinator.join({
    group,
    memberId,
    tasks,
    topologyHash: parts.topologyHash ?? 'hash',
    sessionTimeoutMs,
    heartbeatMs: sessionTimeoutMs / 10,
    url: parts.url,
    rebalanceTimeoutMs: 10_000
  })
  member.enter()
  return member
}

interface MemberParts {
  readonly group: string
  readonly memberId: string
  readonly scene: TransportScene
}

export class GroupMember {
  readonly coordinator: Coordinator
  readonly group: string
  readonly memberId: string
  /** Tasks of the last answer, with the epochs they were given at. */
  epochs: ReadonlyMap<string, number> = new Map()
  readonly #scene: TransportScene
  #standing: Standing | undefined
  #rejoining: Promise<void> | undefined
  #wasLost = false

  constructor(coordinator: Coordinator, { group, memberId, scene }: MemberParts) {
    this.coordinator = coordinator
    this.group = group
    this.memberId = memberId
    this.#scene = scene
  }

  /** From now on it takes part when the others move on. */
  enter(): void {
    const members = together.get(this.#scene) ?? new Set()
    together.set(this.#scene, members.add(this))
  }

  /** From now on nothing is heard of it, until it beats again. */
  fallSilent(): void {
    together.get(this.#scene)?.delete(this)
  }

  async beat(): Promise<BeatAnswer> {
    this.enter()
    await this.#moveOn()
    const answer = await this.#ask()
    const { isLost } = answer
    const lost = isLost || this.#wasLost
    this.#wasLost = false
    return { ...answer, isLost: lost }
  }

  taskIds(): string[] {
    return [...this.epochs.keys()].sort((a, b) => (a < b ? -1 : 1))
  }

  async release(tasks: readonly string[]): Promise<void> {
    await this.coordinator.release(tasks)
    await this.#moveOn()
  }

  async leave(): Promise<void> {
    this.fallSilent()
    await this.coordinator.leave()
  }

  /** Closes its connection to the group and does not leave it. */
  async close(): Promise<void> {
    this.fallSilent()
    await this.coordinator.close()
  }

  commitOf(task: string, source: TopicPartition, offset: number, metadata = ''): TaskCommit {
    const epoch = this.epochs.get(task)
    assert.ok(epoch !== undefined, `${this.memberId} does not own ${task}`)
    const offsets = [{ ...source, offset, metadata }]
    const { group, memberId } = this
    return { group, task, memberId, epoch, offsets, member: this.#standing }
  }

  /** Until nobody of the group is on the way to its next generation. */
  async #moveOn(): Promise<void> {
    if (this.coordinator.rejoin === undefined) return
    for (let isMoving = true; isMoving; ) {
      const all = [...(together.get(this.#scene) ?? [])]
      const members = all.filter(({ group }) => group === this.group)
      const moves = await Promise.all(members.map((member) => member.#isMoving()))
      isMoving = moves.includes(true)
      if (isMoving) await this.#scene.pause(10)
    }
  }

  async #isMoving(): Promise<boolean> {
    const answer = await this.#ask()
    if (answer.isLost) this.#wasLost = true
    if (answer.isRejoinDue === true) {
      this.#rejoining ??= this.coordinator.rejoin?.().finally(() => {
        this.#rejoining = undefined
      })
    }
    return answer.isPending === true || this.#rejoining !== undefined
  }

  async #ask(): Promise<BeatAnswer> {
    const answer = await this.coordinator.beat()
    this.epochs = new Map(answer.owned.map(({ task, epoch }) => [task, epoch]))
    this.#standing = answer.member
    return answer
  }
}

/** Rounds of beats and releases until nothing moves; at no time has a task two owners. */
export async function settleGroup(members: readonly GroupMember[]): Promise<GroupView> {
  for (let round = 0, before = ''; round < 20; round++) {
    let view: GroupView | undefined
    let isMoving = false
    for (const member of members) {
      const answer = await member.beat()
      const all = members.flatMap((one) => one.taskIds())
      assert.equal(new Set(all).size, all.length, `a task has two owners: ${all.join(', ')}`)
      if (answer.revoked.length > 0) {
        await member.release(answer.revoked)
        await member.beat()
        isMoving = true
      }
      view = answer.view
    }
    const now = JSON.stringify(members.map((member) => member.taskIds()))
    if (!isMoving && now === before && view !== undefined) return view
    before = now
  }
  throw new assert.AssertionError({ message: 'the group did not settle in twenty rounds' })
}
