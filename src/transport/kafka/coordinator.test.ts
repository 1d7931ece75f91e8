// The coordinator against a group that answers what the test says: what is tried again, what is a
// loss, what is refused for good, and what the runtime is told meanwhile.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../core/errors.ts'
import type { TaskSpec } from '../../core/task-spec.ts'
import type { Clock } from '../../port/clock.ts'
import type { BeatAnswer, JoinRequest } from '../../port/coordinator.ts'
import { realClock } from '../../runtime/real-clock.ts'
import { KafkaCoordinator } from './coordinator.ts'
import { groupCodes } from './group-errors.ts'
import { type JoinedMember, planGeneration } from './group-leader.ts'
import { decodeMember, encodeWords, type GivenWords } from './group-words.ts'
import type {
  Asker,
  GroupWire,
  JoinQuestion,
  JoinReply,
  SyncQuestion,
  SyncReply
} from './group-wire.ts'
import { KafkaFailure, kafka, local } from './protocol-failure.ts'

const limits = { timeout: 30_000 }

const tasks: TaskSpec[] = [0, 1, 2, 3].map((partition) => {
  return { id: `s/${partition}`, subTopology: 's', partition, sources: [{ topic: 's', partition }] }
})

const request: JoinRequest = {
  group: 'g',
  memberId: 'worker',
  topologyHash: 'h',
  tasks,
  sessionTimeoutMs: 10_000,
  heartbeatMs: 20,
  url: undefined,
  transactionalId: 'tx'
}

/** A broker with one member, unless the test puts something else into its answers. */
class ScriptedGroup implements GroupWire {
  readonly joins: JoinQuestion[] = []
  readonly syncs: SyncQuestion[] = []
  readonly left: Asker[] = []
  beats = 0
  generation = 0
  /** Codes that the next requests answer, before they answer well. */
  readonly joinCodes: number[] = []
  readonly syncCodes: number[] = []
  beatCode = 0
  /** Joins wait for it. */
  gate: Promise<void> = Promise.resolve()
  /** Transactional ids of the app with an open transaction. */
  open: readonly string[] = []
  /** Changes what the leader said. */
  edit: (words: GivenWords) => GivenWords = (words) => words

  async join(question: JoinQuestion): Promise<JoinReply> {
    this.joins.push(question)
    const none = { generation: 0, isLeader: false, isSharedOut: false, members: [] }
    if (question.memberId === '' && question.instanceId === undefined) {
      const code = this.joinCodes.shift() ?? groupCodes.memberIdRequired
      return { ...none, errorCode: code, memberId: `m-${this.joins.length}` }
    }
    await this.gate
    const errorCode = this.joinCodes.shift() ?? kafka.none
    if (errorCode === local.connectionLost) throw new KafkaFailure(errorCode, 'join')
    const memberId = question.memberId === '' ? 'static' : question.memberId
    if (errorCode !== kafka.none) return { ...none, errorCode, memberId }
    this.generation++
    const { generation } = this
    return { ...none, errorCode, memberId, generation }
  }

  async sync(question: SyncQuestion): Promise<SyncReply> {
    this.syncs.push(question)
    const errorCode = this.syncCodes.shift() ?? kafka.none
    const words = decodeMember(this.joins.at(-1)?.subscription ?? Buffer.alloc(0))
    assert.ok(words !== undefined)
    const { memberId } = question
    const member: JoinedMember = { memberId, instanceId: question.instanceId, words }
    const given = planGeneration(question.generation, [member]).get(memberId)
    assert.ok(given !== undefined)
    return { errorCode, assignment: encodeWords(this.edit(given), tasks) }
  }

  async heartbeat(): Promise<number> {
    this.beats++
    if (this.beatCode === local.connectionLost) throw new KafkaFailure(this.beatCode, 'beat')
    return this.beatCode
  }

  async leave(asker: Asker): Promise<number> {
    this.left.push(asker)
    return kafka.none
  }

  async reach(): Promise<void> {}
}

interface Scene {
  readonly group: ScriptedGroup
  readonly coordinator: KafkaCoordinator
  /** Transactional ids that were to be fenced; each waits for `fenced`. */
  readonly fences: string[]
  readonly fenced: PromiseWithResolvers<void>
  /** As if the process had slept for so long. */
  sleep(ms: number): void
}

async function withGroup(run: (scene: Scene) => Promise<void>): Promise<void> {
  let sleptMs = 0
  const clock: Clock = { ...realClock, monotonic: () => realClock.monotonic() + sleptMs }
  const group = new ScriptedGroup()
  const fences: string[] = []
  const fenced = Promise.withResolvers<void>()
  const coordinator = new KafkaCoordinator({
    clock,
    wire: () => group,
    strangers: async (_, known) => group.open.filter((id) => !known.includes(id)),
    fence: (ids) => {
      fences.push(...ids)
      return ids.length === 0 ? Promise.resolve() : fenced.promise
    },
    evict: async () => kafka.none,
    close: async () => undefined
  })
  const sleep = (ms: number): void => {
    sleptMs += ms
  }
  try {
    await run({ group, coordinator, fences, fenced, sleep })
  } finally {
    await coordinator.close()
  }
}

async function beatUntil(
  { coordinator }: Scene,
  condition: (answer: BeatAnswer) => boolean
): Promise<BeatAnswer> {
  for (;;) {
    const answer = await coordinator.beat()
    if (condition(answer)) return answer
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

const isIn = ({ isPending }: BeatAnswer): boolean => isPending !== true
const idsOf = ({ owned }: BeatAnswer): string[] => owned.map(({ task }) => task).sort()
const all = tasks.map(({ id }) => id)

test('a member joins under the id that it is given, and says it in its commits', limits, () =>
  withGroup(async (scene) => {
    await scene.coordinator.join(request)
    const answer = await beatUntil(scene, isIn)
    assert.deepEqual(idsOf(answer), all)
    assert.deepEqual(
      scene.group.joins.map(({ memberId }) => memberId),
      ['', 'm-1']
    )
    const { member } = answer
    assert.deepEqual(member, { memberId: 'm-1', generation: 1, instanceId: undefined })
  })
)

test('join does not wait for the others, and beats are pending until they came', limits, () =>
  withGroup(async (scene) => {
    const gate = Promise.withResolvers<void>()
    scene.group.gate = gate.promise
    await scene.coordinator.join(request)
    const answer = await scene.coordinator.beat()
    assert.deepEqual([answer.isPending, answer.owned], [true, []])
    assert.equal(scene.group.beats, 0, 'a broker that holds the join is asked nothing')
    gate.resolve()
    assert.deepEqual(idsOf(await beatUntil(scene, isIn)), all)
  })
)

test('a coordinator that moves or loads is asked again, and nothing is said', limits, () =>
  withGroup(async (scene) => {
    const { coordinatorLoadInProgress, coordinatorNotAvailable, notCoordinator } = kafka
    scene.group.joinCodes.push(notCoordinator, coordinatorNotAvailable, coordinatorLoadInProgress)
    scene.group.syncCodes.push(notCoordinator)
    await scene.coordinator.join(request)
    assert.deepEqual(idsOf(await beatUntil(scene, isIn)), all)
  })
)

test('a lost answer to a join is asked for again under the same id', limits, () =>
  withGroup(async (scene) => {
    scene.group.joinCodes.push(groupCodes.memberIdRequired, local.connectionLost)
    await scene.coordinator.join(request)
    await beatUntil(scene, isIn)
    assert.deepEqual(
      scene.group.joins.map(({ memberId }) => memberId),
      ['', 'm-1', 'm-1']
    )
  })
)

test('a group that moves on is joined again when the runtime says so', limits, () =>
  withGroup(async (scene) => {
    const { coordinator, group } = scene
    await coordinator.join(request)
    await beatUntil(scene, isIn)
    group.beatCode = groupCodes.rebalanceInProgress
    const called = await beatUntil(scene, ({ isRejoinDue }) => isRejoinDue === true)
    assert.equal(called.member?.generation, 1)
    const gate = Promise.withResolvers<void>()
    group.gate = gate.promise
    const rejoined = coordinator.rejoin()
    const meanwhile = await coordinator.beat()
    assert.deepEqual([idsOf(meanwhile), meanwhile.member?.generation], [all, 1])
    group.beatCode = kafka.none
    gate.resolve()
    await rejoined
    const after = await coordinator.beat()
    assert.deepEqual([after.member?.generation, after.isRejoinDue], [2, false])
    assert.deepEqual(after.owned, meanwhile.owned, 'what stays keeps its epoch')
  })
)

test('a group that moves on between join and sync is joined once more', limits, () =>
  withGroup(async (scene) => {
    scene.group.syncCodes.push(groupCodes.rebalanceInProgress)
    await scene.coordinator.join(request)
    const { member } = await beatUntil(scene, isIn)
    assert.equal(member?.generation, 2)
  })
)

for (const [name, code] of [
  ['unknown to the group', groupCodes.unknownMember],
  ['of another generation', groupCodes.illegalGeneration]
] as const) {
  test(`a member that is ${name} is lost, is told so alone, and joins anew`, limits, () =>
    withGroup(async (scene) => {
      const { coordinator, group } = scene
      await coordinator.join(request)
      const before = await beatUntil(scene, isIn)
      group.beatCode = code
      const told = await beatUntil(scene, ({ isLost }) => isLost)
      group.beatCode = kafka.none
      assert.deepEqual([told.owned, told.revoked, told.member], [[], [], before.member])
      const after = await beatUntil(scene, isIn)
      const words = decodeMember(group.joins.at(-1)?.subscription ?? Buffer.alloc(0))
      assert.deepEqual([...(words?.owned ?? [])], [], 'it claims nothing any more')
      assert.equal(after.member?.memberId === before.member?.memberId, code === 22)
      for (const { epoch } of after.owned) assert.equal(epoch, 2)
    })
  )
}

test('a process that slept beyond its session knows without being told', limits, () =>
  withGroup(async (scene) => {
    await scene.coordinator.join(request)
    await beatUntil(scene, isIn)
    const { beats } = scene.group
    scene.sleep(request.sessionTimeoutMs + 1)
    const answer = await scene.coordinator.beat()
    assert.deepEqual([answer.isLost, scene.group.beats], [true, beats])
    assert.deepEqual(idsOf(await beatUntil(scene, isIn)), all)
  })
)

test('what is released while a join is under way does not come back by it', limits, () =>
  withGroup(async (scene) => {
    const { coordinator, group } = scene
    await coordinator.join(request)
    await beatUntil(scene, isIn)
    const gate = Promise.withResolvers<void>()
    group.gate = gate.promise
    const rejoined = coordinator.rejoin()
    await coordinator.release(['s/0'])
    gate.resolve()
    await rejoined
    const answer = await coordinator.beat()
    assert.deepEqual(idsOf(answer), ['s/1', 's/2', 's/3'])
    assert.equal(answer.isRejoinDue, true, 'the group has to be told')
    await coordinator.rejoin()
    const given = (await coordinator.beat()).owned.find(({ task }) => task === 's/0')
    assert.equal(given?.epoch, 3, 'given anew, by a later epoch')
  })
)

test('new tasks begin when their last owner is fenced; those that stay go on', limits, () =>
  withGroup(async (scene) => {
    const { coordinator, fenced, fences, group } = scene
    group.edit = (words) => ({ ...words, owned: new Map([['s/0', 1]]), wanted: ['s/0'] })
    await coordinator.join(request)
    assert.deepEqual(idsOf(await beatUntil(scene, isIn)), ['s/0'])
    group.edit = (words) => ({ ...words, fence: ['tx-gone'] })
    await coordinator.rejoin()
    assert.deepEqual(fences, ['tx-gone'])
    assert.deepEqual(idsOf(await coordinator.beat()), ['s/0'])
    group.edit = (words) => words
    await coordinator.rejoin()
    assert.deepEqual(idsOf(await coordinator.beat()), ['s/0'], 'a further round does not help')
    fenced.resolve()
    assert.deepEqual(idsOf(await beatUntil(scene, ({ owned }) => owned.length > 1)), all)
  })
)

test('where nobody knows who was there before, what is open is looked for and fenced', limits, () =>
  withGroup(async (scene) => {
    const { coordinator, fenced, fences, group } = scene
    group.open = ['tx', 'tx-of-one-that-died']
    await coordinator.join(request)
    await beatUntil(scene, () => fences.length > 0)
    assert.deepEqual(fences, ['tx-of-one-that-died'])
    assert.equal((await coordinator.beat()).isPending, true, 'a start waits for that')
    fenced.resolve()
    assert.deepEqual(idsOf(await beatUntil(scene, ({ owned }) => owned.length > 0)), all)
  })
)

test('groups that have no place for a member refuse its join', limits, () =>
  withGroup(async ({ coordinator, group }) => {
    group.joinCodes.push(groupCodes.inconsistentProtocol)
    await assert.rejects(coordinator.join(request), (error) => {
      return hasCode(error, 'TAILRACE_TRANSPORT_FOREIGN_GROUP')
    })
  })
)

test('a static member that is replaced says so, and asks no more', limits, () =>
  withGroup(async (scene) => {
    const { coordinator, group } = scene
    await coordinator.join({ ...request, instanceId: 'one' })
    await beatUntil(scene, isIn)
    group.beatCode = groupCodes.fencedInstance
    await assert.rejects(
      beatUntil(scene, () => false),
      (error) => {
        return hasCode(error, 'TAILRACE_TRANSPORT_DUPLICATE_INSTANCE')
      }
    )
  })
)

test('trouble that lasts is said by every beat, until the broker answers', limits, () =>
  withGroup(async (scene) => {
    const { coordinator, group, sleep } = scene
    await coordinator.join(request)
    await beatUntil(scene, isIn)
    group.beatCode = local.connectionLost
    assert.equal((await coordinator.beat()).isLost, false, 'a moment is no trouble')
    sleep(2_000)
    const unavailable = (error: unknown): boolean =>
      hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE')
    await assert.rejects(coordinator.beat(), unavailable)
    await assert.rejects(coordinator.beat(), unavailable)
    group.beatCode = kafka.none
    sleep(1_000)
    assert.deepEqual(idsOf(await coordinator.beat()), all)
  })
)

test('changed wakes for what the broker says, and not before', limits, () =>
  withGroup(async (scene) => {
    const { coordinator, group } = scene
    await coordinator.join(request)
    await beatUntil(scene, isIn)
    await coordinator.beat()
    const before = performance.now()
    await coordinator.changed(100)
    assert.ok(performance.now() - before >= 95, 'nothing had changed')
    const woken = coordinator.changed(25_000)
    group.beatCode = groupCodes.rebalanceInProgress
    await woken
    assert.equal((await coordinator.beat()).isRejoinDue, true)
  })
)

test('a member leaves; a static one stays', limits, async () => {
  await withGroup(async (scene) => {
    await scene.coordinator.join(request)
    await beatUntil(scene, isIn)
    await scene.coordinator.leave()
    assert.deepEqual(
      scene.group.left.map(({ memberId }) => memberId),
      ['m-1']
    )
  })
  await withGroup(async (scene) => {
    await scene.coordinator.join({ ...request, instanceId: 'one' })
    await beatUntil(scene, isIn)
    await scene.coordinator.leave()
    assert.deepEqual(scene.group.left, [])
  })
})
