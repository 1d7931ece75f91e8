// The keeper against a group that does what the test says.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TailraceError } from '../core/errors.ts'
import type { BeatAnswer, Coordinator, JoinRequest } from '../port/coordinator.ts'
import { CommitLease } from './commit-lease.ts'
import { KeeperLoop } from './keeper-loop.ts'
import { realClock } from './real-clock.ts'

const request: JoinRequest = {
  group: 'g',
  memberId: 'm',
  topologyHash: 'h',
  tasks: [],
  sessionTimeoutMs: 10_000,
  heartbeatMs: 10,
  url: undefined
}

/** A group that does what the test says, and notes what it was asked. */
class ScriptedGroup implements Coordinator {
  readonly said: string[] = []
  answer: BeatAnswer = answerOf(1)
  failure: Error | undefined
  rejoined: PromiseWithResolvers<void> = Promise.withResolvers()

  async join(): Promise<void> {
    this.said.push('join')
  }

  async beat(): Promise<BeatAnswer> {
    if (this.failure !== undefined) throw this.failure
    return this.answer
  }

  async release(tasks: readonly string[]): Promise<void> {
    this.said.push(`release ${tasks.join(' ')}`)
  }

  rejoin(): Promise<void> {
    this.said.push('rejoin')
    return this.rejoined.promise
  }

  changed(waitMaxMs: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, waitMaxMs))
  }

  async leave(): Promise<void> {
    this.said.push('leave')
  }

  async close(): Promise<void> {}
}

function answerOf(generation: number, more: Partial<BeatAnswer> = {}): BeatAnswer {
  return {
    owned: [],
    revoked: [],
    isLost: false,
    view: { generation, members: [], unowned: [] },
    member: { memberId: 'broker-1', generation, instanceId: undefined },
    ...more
  }
}

interface Scene {
  readonly group: ScriptedGroup
  readonly loop: KeeperLoop
  /** The worker's side. */
  readonly lease: CommitLease
  readonly told: { readonly answer: BeatAnswer; readonly membership: number }[]
  readonly refused: unknown[]
  /** What the worker learns of the log itself, in order. */
  readonly states: ('away' | 'heard')[]
}

async function withLoop(
  run: (scene: Scene) => Promise<void>,
  first: BeatAnswer = answerOf(1)
): Promise<void> {
  const lease = new CommitLease(realClock)
  const group = new ScriptedGroup()
  group.answer = first
  const told: Scene['told'] = []
  const refused: unknown[] = []
  const states: Scene['states'] = []
  const loop = new KeeperLoop({
    coordinator: group,
    clock: realClock,
    request,
    lease: new CommitLease(realClock, lease.shared),
    leaseMsMax: 30_000,
    onAnswer: (answer, membership) => told.push({ answer, membership }),
    onHeard: () => states.push('heard'),
    onError: () => states.push('away'),
    onRefused: (error) => refused.push(error)
  })
  await loop.start()
  try {
    await run({ group, loop, lease, told, refused, states })
  } finally {
    group.rejoined.resolve()
    lease.release()
    await loop.leave()
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}

test('nothing is told while the group has not taken the member in', { timeout: 30_000 }, () =>
  withLoop(
    async ({ group, told }) => {
      await new Promise((resolve) => setTimeout(resolve, 50))
      assert.equal(told.length, 0)
      group.answer = answerOf(2)
      await until(() => told.length > 0)
      assert.equal(told[0]?.answer.view.generation, 2)
    },
    answerOf(0, { isPending: true })
  )
)

test(
  'a due join waits for the commit, and commits wait for what it came to',
  { timeout: 30_000 },
  () =>
    withLoop(async ({ group, lease, told }) => {
      await until(() => told.length > 0)
      lease.told(told.at(-1)?.membership ?? 0)
      assert.equal(lease.tryTake(), true)
      group.answer = answerOf(1, { isRejoinDue: true })
      await new Promise((resolve) => setTimeout(resolve, 50))
      assert.ok(!group.said.includes('rejoin'), 'the commit still has the lease')
      lease.release()
      await until(() => group.said.includes('rejoin'))
      await lease.take(30_000)
      lease.release()
      group.answer = answerOf(2)
      group.rejoined.resolve()
      await until(() => told.at(-1)?.answer.member?.generation === 2)
      assert.equal(lease.tryTake(), false, 'the worker has not been told of it')
      lease.told(told.at(-1)?.membership ?? 0)
      await lease.take(30_000)
      lease.release()
      assert.equal(group.said.filter((said) => said === 'rejoin').length, 1)
    })
)

test('beats and releases go on while a join is under way', { timeout: 30_000 }, () =>
  withLoop(async ({ group, loop, told }) => {
    group.answer = answerOf(1, { isRejoinDue: true })
    await until(() => group.said.includes('rejoin'))
    await loop.release(['t/0'])
    assert.ok(group.said.includes('release t/0'))
    const before = told.length
    await until(() => told.length > before)
  })
)

test('commits wait for the news that the membership was lost', { timeout: 30_000 }, () =>
  withLoop(async ({ group, lease, told }) => {
    await until(() => told.length > 0)
    lease.told(told.at(-1)?.membership ?? 0)
    group.answer = answerOf(1, { isLost: true })
    await until(() => told.at(-1)?.answer.isLost === true)
    assert.equal(lease.tryTake(), false)
    lease.told(told.at(-1)?.membership ?? 0)
    assert.equal(lease.tryTake(), true)
  })
)

test('a group that refuses the member for good is asked no more', { timeout: 30_000 }, () =>
  withLoop(async ({ group, lease, refused, told }) => {
    group.answer = answerOf(1, { isRejoinDue: true })
    await until(() => group.said.includes('rejoin'))
    group.failure = new TailraceError('TAILRACE_TRANSPORT_DUPLICATE_INSTANCE', 'twice')
    await until(() => refused.length > 0)
    assert.deepEqual(refused, [group.failure])
    lease.told(told.at(-1)?.membership ?? 0)
    await lease.take(30_000)
    assert.equal(refused.length, 1)
  })
)

test(
  'a log that answers again is told of, also while a member is not taken in',
  {
    timeout: 30_000
  },
  () =>
    withLoop(
      async ({ group, states, told }) => {
        group.failure = new TailraceError('TAILRACE_TRANSPORT_UNAVAILABLE', 'gone')
        await until(() => states.length > 1)
        group.failure = undefined
        await until(() => states.at(-1) === 'heard')
        assert.equal(told.length, 0, 'there is nothing else to tell')
        await new Promise((resolve) => setTimeout(resolve, 50))
        assert.equal(states.filter((one) => one === 'heard').length, 1)
      },
      answerOf(0, { isPending: true })
    )
)

test('a loss that the clock alone has shown is no sign of the log', { timeout: 30_000 }, () =>
  withLoop(async ({ group, states, told }) => {
    group.failure = new TailraceError('TAILRACE_TRANSPORT_UNAVAILABLE', 'gone')
    await until(() => states.length > 0)
    group.answer = answerOf(1, { isLost: true })
    group.failure = undefined
    await until(() => told.at(-1)?.answer.isLost === true)
    assert.ok(!states.includes('heard'))
    group.answer = answerOf(0, { isPending: true })
    await until(() => states.at(-1) === 'heard')
  })
)
