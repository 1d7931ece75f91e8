// A member of a Kafka group as a worker has it: a keeper that beats, and somebody who lets go of
// what is revoked.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { TaskSpec } from '../../src/core/task-spec.ts'
import type { BeatAnswer, JoinRequest } from '../../src/port/coordinator.ts'
import type { TaskCommit, Transport } from '../../src/port/transport.ts'
import { CommitLease } from '../../src/runtime/commit-lease.ts'
import { KeeperLoop } from '../../src/runtime/keeper-loop.ts'
import { realClock } from '../../src/runtime/real-clock.ts'
import { createKafkaTransport } from '../../src/transport/kafka/index.ts'

/** The shortest session that a broker takes by default. */
export const sessionTimeoutMs = 6_000
export const heartbeatMs = 200
const untilMsMax = 30_000

/** A name that no other test has. */
export function ownName(title: string): string {
  return `${title}-${randomBytes(5).toString('hex')}`
}

export function tasksOf(topic: string, count: number): TaskSpec[] {
  return Array.from({ length: count }, (_, partition) => ({
    id: `${topic}/${partition}`,
    subTopology: topic,
    partition,
    sources: [{ topic, partition }]
  }))
}

export interface MemberParts {
  readonly url: string
  readonly group: string
  readonly tasks: readonly TaskSpec[]
  readonly more?: Partial<JoinRequest>
}

/** Everything that a test opened, closed in `finally`. */
export class Members implements AsyncDisposable {
  readonly #all: Member[] = []

  async join(memberId: string, parts: MemberParts): Promise<Member> {
    const transport = createKafkaTransport({ url: parts.url, sessionTimeoutMs, heartbeatMs })
    const member = new Member(memberId, transport, parts)
    this.#all.push(member)
    await transport.open()
    await member.start()
    return member
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((member) => member.dispose()))
  }
}

export class Member {
  readonly id: string
  readonly transport: Transport
  readonly lease: CommitLease
  readonly answers: BeatAnswer[] = []
  readonly errors: unknown[] = []
  refusal: unknown
  /** Off, what is revoked is kept. */
  isReleasing = true
  readonly #parts: MemberParts
  #loop: KeeperLoop | undefined
  #thaw: (() => void) | undefined
  #frozen: Promise<void> | undefined

  constructor(id: string, transport: Transport, parts: MemberParts) {
    this.id = id
    this.transport = transport
    this.#parts = parts
    this.lease = new CommitLease(realClock)
  }

  get last(): BeatAnswer {
    const last = this.answers.at(-1)
    assert.ok(last !== undefined, `${this.id} has not been taken in`)
    return last
  }

  get tasks(): string[] {
    return (this.answers.at(-1)?.owned ?? []).map(({ task }) => task).sort()
  }

  get generation(): number {
    return this.last.view.generation
  }

  async start(): Promise<void> {
    const { group, more, tasks } = this.#parts
    const coordinator = await this.transport.coordinator()
    const request: JoinRequest = {
      group,
      memberId: this.id,
      topologyHash: 'h',
      tasks,
      sessionTimeoutMs,
      heartbeatMs,
      url: undefined,
      transactionalId: `${group}-${this.id}`,
      rebalanceTimeoutMs: 10_000,
      ...more
    }
    const beat = coordinator.beat.bind(coordinator)
    coordinator.beat = async () => {
      await this.#frozen
      return beat()
    }
    const loop = new KeeperLoop({
      coordinator,
      clock: realClock,
      request,
      lease: new CommitLease(realClock, this.lease.shared),
      leaseMsMax: 30_000,
      onAnswer: (answer, membership) => {
        this.answers.push(answer)
        this.lease.told(membership, answer.isLost)
        if (this.isReleasing && answer.revoked.length > 0) void this.release(answer.revoked)
      },
      onHeard: () => undefined,
      onError: (error) => this.errors.push(error),
      onRefused: (error) => {
        this.refusal = error
      }
    })
    await loop.start()
    this.#loop = loop
  }

  async release(tasks: readonly string[]): Promise<void> {
    await this.#loop?.release(tasks)
  }

  /** As a process that is stopped: it beats no more until `thaw`. */
  freeze(): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#frozen = promise
    this.#thaw = resolve
  }

  thaw(): void {
    this.#frozen = undefined
    this.#thaw?.()
  }

  commitOf(task: string, offset: number, answer: BeatAnswer = this.last): TaskCommit {
    const owned = answer.owned.find((one) => one.task === task)
    assert.ok(owned !== undefined, `${this.id} does not own ${task}`)
    const at = task.lastIndexOf('/')
    const source = { topic: task.slice(0, at), partition: Number(task.slice(at + 1)) }
    return {
      group: this.#parts.group,
      task,
      memberId: this.id,
      epoch: owned.epoch,
      offsets: [{ ...source, offset, metadata: '' }],
      member: answer.member
    }
  }

  async leave(): Promise<void> {
    const loop = this.#loop
    this.#loop = undefined
    await loop?.leave()
  }

  /** Gone without a word: its connections end, and the group finds out by the session. */
  async vanish(): Promise<void> {
    await this.transport.close()
  }

  async dispose(): Promise<void> {
    this.thaw()
    this.lease.release()
    await this.transport.close()
    await this.leave().catch(() => undefined)
  }
}

/** Waits for what has to come; then what is awaited is what is tested. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = realClock.monotonic() + untilMsMax
  while (!condition()) {
    assert.ok(realClock.monotonic() < deadline, `this did not come: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Waits until all of these agree on a generation, nothing moves, and each task has one owner. */
export async function settled(
  members: readonly Member[],
  tasks: readonly TaskSpec[]
): Promise<void> {
  const ids = tasks.map(({ id }) => id).sort()
  await until(
    () => {
      const owned = members.flatMap((member) => member.tasks).sort()
      const generations = new Set(members.map(({ answers }) => answers.at(-1)?.view.generation))
      const isCalm = members.every(({ answers }) => {
        const last = answers.at(-1)
        return last !== undefined && last.isRejoinDue !== true && last.revoked.length === 0
      })
      return isCalm && generations.size === 1 && JSON.stringify(owned) === JSON.stringify(ids)
    },
    `${members.map(({ id }) => id).join(', ')} share ${ids.length} tasks`
  )
}
