// A member of a group as the group cases use it: it beats, and releases what is revoked.

import assert from 'node:assert/strict'
import type { TaskSpec } from '../core/task-spec.ts'
import type {
  BeatAnswer,
  Coordinator,
  GroupView,
  TaskCommit,
  TopicPartition
} from '../port/transport.ts'
import type { TransportScene } from './transport-scene.ts'

interface JoinParts {
  readonly group?: string
  readonly topologyHash?: string
  readonly url?: string
}

/** Joins over a connection of its own. */
export async function joinGroup(
  scene: TransportScene,
  memberId: string,
  tasks: readonly TaskSpec[],
  parts: JoinParts = {}
): Promise<GroupMember> {
  const coordinator = await (await scene.connect()).coordinator()
  const { sessionTimeoutMs } = scene.features
  const group = parts.group ?? 'group'
  await coordinator.join({
    group,
    memberId,
    tasks,
    topologyHash: parts.topologyHash ?? 'hash',
    sessionTimeoutMs,
    heartbeatMs: sessionTimeoutMs / 10,
    url: parts.url
  })
  return new GroupMember(coordinator, { group, memberId })
}

export class GroupMember {
  readonly coordinator: Coordinator
  readonly group: string
  readonly memberId: string
  /** Tasks of the last answer, with the epochs they were given at. */
  epochs: ReadonlyMap<string, number> = new Map()

  constructor(
    coordinator: Coordinator,
    { group, memberId }: { readonly group: string; readonly memberId: string }
  ) {
    this.coordinator = coordinator
    this.group = group
    this.memberId = memberId
  }

  async beat(): Promise<BeatAnswer> {
    const answer = await this.coordinator.beat()
    this.epochs = new Map(answer.owned.map(({ task, epoch }) => [task, epoch]))
    return answer
  }

  taskIds(): string[] {
    return [...this.epochs.keys()].sort((a, b) => (a < b ? -1 : 1))
  }

  release(tasks: readonly string[]): Promise<void> {
    return this.coordinator.release(tasks)
  }

  leave(): Promise<void> {
    return this.coordinator.leave()
  }

  commitOf(task: string, source: TopicPartition, offset: number): TaskCommit {
    const epoch = this.epochs.get(task)
    assert.ok(epoch !== undefined, `${this.memberId} does not own ${task}`)
    const offsets = [{ ...source, offset, metadata: '' }]
    return { group: this.group, task, memberId: this.memberId, epoch, offsets }
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
