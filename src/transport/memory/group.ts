// One group: members with sessions, who owns which task, and the offsets they committed.

import type { Assignment } from '../../core/assignor.ts'
import { assign } from '../../core/assignor.ts'
import { grantable } from '../../core/grants.ts'
import type { TaskSpec } from '../../core/task-spec.ts'
import type { Clock } from '../../port/clock.ts'
import type { BeatAnswer, GroupView, JoinRequest } from '../../port/coordinator.ts'
import type { CommittedOffset, TaskCommit, TopicPartition } from '../../port/transport.ts'
import { Signal } from './signal.ts'

interface Member {
  readonly request: JoinRequest
  readonly knownTasks: ReadonlySet<string>
  /** On the monotonic clock. */
  lastBeatMs: number
}

/** The proof of ownership that a commit must match. */
interface OwnerRow {
  readonly memberId: string
  readonly epoch: number
  readonly task: TaskSpec
}

export class Group {
  readonly name: string
  /** Raised with each new version. */
  readonly changed: Signal
  readonly #clock: Clock
  readonly #members = new Map<string, Member>()
  readonly #owners = new Map<string, OwnerRow>()
  readonly #offsets = new Map<string, CommittedOffset>()
  #assignment: Assignment = new Map()
  #tasks: ReadonlyMap<string, TaskSpec> = new Map()
  #generation = 0
  #version = 0

  constructor(name: string, clock: Clock) {
    this.name = name
    this.#clock = clock
    this.changed = new Signal(clock)
  }

  /** Grows with everything a member would learn by a beat. */
  get version(): number {
    return this.#version
  }

  /** A member that is already there is replaced: whatever it owned is nobody's. */
  join(request: JoinRequest): void {
    this.#drop(request.memberId)
    this.#members.set(request.memberId, {
      request,
      knownTasks: new Set(request.tasks.map((task) => task.id)),
      lastBeatMs: this.#clock.monotonic()
    })
    this.#expire(request.memberId)
    this.#rebalance()
  }

  /** What the member learns; undefined when the group does not have it. */
  beat(memberId: string): BeatAnswer | undefined {
    const member = this.#members.get(memberId)
    if (member === undefined) return undefined
    member.lastBeatMs = this.#clock.monotonic()
    if (this.#expire(memberId)) this.#rebalance()
    this.#grant(memberId)
    const rows = this.#rowsOf(memberId)
    const wanted = new Set(this.#wanted(memberId))
    return {
      owned: rows.map(({ task, epoch }) => ({ task: task.id, epoch })),
      revoked: rows.filter(({ task }) => !wanted.has(task.id)).map(({ task }) => task.id),
      isLost: false,
      view: this.view()
    }
  }

  release(memberId: string, tasks: readonly string[]): void {
    for (const task of tasks) {
      if (this.#owners.get(task)?.memberId !== memberId) continue
      this.#owners.delete(task)
      this.#announce()
    }
  }

  leave(memberId: string): void {
    if (!this.#members.has(memberId)) return
    this.#drop(memberId)
    this.#rebalance()
  }

  /** True when this very join is the one the group has under that id. */
  has(request: JoinRequest): boolean {
    return this.#members.get(request.memberId)?.request === request
  }

  hasMember(memberId: string): boolean {
    return this.#members.has(memberId)
  }

  view(): GroupView {
    const assigned = [...this.#assignment.values()].flatMap(({ active }) => active)
    return {
      generation: this.#generation,
      members: [...this.#members.values()].map(({ request: { memberId, url } }) => ({
        memberId,
        url,
        tasks: this.#rowsOf(memberId).map(({ task }) => task.id)
      })),
      unowned: assigned.filter((task) => !this.#owners.has(task))
    }
  }

  /** The fence: the sender must own the task by the grant it names. */
  isOwner({ task, memberId, epoch }: TaskCommit): boolean {
    const row = this.#owners.get(task)
    return row !== undefined && row.memberId === memberId && row.epoch === epoch
  }

  storeOffsets(offsets: readonly CommittedOffset[]): void {
    for (const { topic, partition, offset, metadata } of offsets) {
      this.#offsets.set(`${topic}/${partition}`, { topic, partition, offset, metadata })
    }
  }

  committed(partitions: readonly TopicPartition[]): readonly CommittedOffset[] {
    return partitions.flatMap(({ topic, partition }) => {
      return this.#offsets.get(`${topic}/${partition}`) ?? []
    })
  }

  forgetTopic(name: string): void {
    for (const [key, { topic }] of this.#offsets) if (topic === name) this.#offsets.delete(key)
  }

  #grant(memberId: string): void {
    const wanted = this.#wanted(memberId).flatMap((id) => this.#tasks.get(id) ?? [])
    const owned = [...this.#owners.values()].map((row) => row.task)
    for (const task of grantable(wanted, owned)) {
      this.#owners.set(task.id, { memberId, epoch: this.#generation, task })
      this.#announce()
    }
  }

  /** Removes members whose session ran out; true when there were any. */
  #expire(except: string): boolean {
    const now = this.#clock.monotonic()
    let hasExpired = false
    for (const [id, { lastBeatMs, request }] of this.#members) {
      if (id === except || now - lastBeatMs <= request.sessionTimeoutMs) continue
      this.#drop(id)
      hasExpired = true
    }
    return hasExpired
  }

  #drop(memberId: string): void {
    this.#members.delete(memberId)
    for (const { task } of this.#rowsOf(memberId)) this.#owners.delete(task.id)
  }

  #rebalance(): void {
    const tasks = new Map<string, TaskSpec>()
    const members = [...this.#members.values()].map(({ request, knownTasks }) => {
      for (const task of request.tasks) if (!tasks.has(task.id)) tasks.set(task.id, task)
      const { memberId: id, topologyHash } = request
      return { id, topologyHash, knownTasks, owned: this.#rowsOf(id).map((row) => row.task.id) }
    })
    this.#tasks = tasks
    this.#assignment = assign(members, [...tasks.values()])
    this.#generation++
    this.#announce()
  }

  #rowsOf(memberId: string): OwnerRow[] {
    return [...this.#owners.values()].filter((row) => row.memberId === memberId)
  }

  #wanted(memberId: string): readonly string[] {
    return this.#assignment.get(memberId)?.active ?? []
  }

  #announce(): void {
    this.#version++
    this.changed.raise()
  }
}
