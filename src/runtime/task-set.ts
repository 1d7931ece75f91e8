// Control plane. The tasks of a worker: opened when they are given, drained and committed when they
// are revoked, dropped when they are lost. Tasks that stay are not touched.
import { messageOf, TailraceError } from '../core/errors.ts'
import { leaderTask } from '../core/topology-partitions.ts'
import type { SubTopology } from '../core/topology.ts'
import type { Clock } from '../port/clock.ts'
import type { BeatAnswer, GroupMember, GroupView, OwnedTask } from '../port/coordinator.ts'
import type { Dispatcher } from './dispatcher.ts'
import { checkOffsetsKept } from './forgotten-offsets.ts'
import type { Intake } from './intake.ts'
import type { OpenTask } from './open-task.ts'
import { restore } from './recovery.ts'
import type { StateCleanup } from './state-cleanup.ts'
import { buildTask, findStoredWindows, type OpeningParts, positionTask } from './task-opening.ts'
import { waitedOut } from './waited-out.ts'

export interface TaskSetParts {
  readonly group: string
  readonly subTopologies: ReadonlyMap<string, SubTopology>
  readonly opening: OpeningParts
  readonly dispatcher: Dispatcher
  readonly intake: Intake
  readonly cleanup: StateCleanup
  readonly clock: Clock
  readonly drainTimeoutMs: number
  /** Commits what the tasks have finished, now. */
  readonly commit: () => Promise<void>
  /** Resolves when no commit is under way: its store write must not meet a restore. */
  readonly quiesce: () => Promise<void>
  readonly release: (tasks: readonly string[]) => Promise<void>
  readonly onLeader: (owned: OwnedTask | undefined) => void
  readonly onFatal: (error: unknown) => void
}

interface Slot {
  task: OpenTask
  /** Ends an opening that is no longer wanted. */
  readonly abort: AbortController
  opened: Promise<void>
}

export class TaskSet {
  readonly #parts: TaskSetParts
  readonly #slots = new Map<string, Slot>()
  /** Owned, and closed until the commit that failed is cleared up. */
  #suspended: readonly OwnedTask[] = []
  /** Earlier openings of a task that have not ended yet: two restores must not meet. */
  readonly #ending = new Map<string, Promise<void>>()
  /** Offsets until which a task checks its writes early, after one of them failed a commit. */
  readonly #careful = new Map<string, ReadonlyMap<string, number>>()
  #leader: OwnedTask | undefined
  #isClosed = false
  view: GroupView = { generation: 0, members: [], unowned: [] }
  hasAnswer = false
  #member: GroupMember | undefined

  constructor(parts: TaskSetParts) {
    this.#parts = parts
  }

  get tasks(): readonly OpenTask[] {
    return [...this.#slots.values()].map((slot) => slot.task)
  }

  get committable(): readonly OpenTask[] {
    return this.tasks.filter((task) => task.state === 'running' || task.state === 'draining')
  }

  /** True while a failed commit is cleared up: what is owned is not open. */
  get isSuspended(): boolean {
    return this.#suspended.length > 0
  }

  /** By which the log checks the commits of these tasks, where it does. */
  get member(): GroupMember | undefined {
    return this.#member
  }

  find(id: string): OpenTask | undefined {
    return this.#slots.get(id)?.task
  }

  /** Resolves when every task of now is open, or was given up. */
  async settled(): Promise<void> {
    await Promise.all([...this.#slots.values()].map((slot) => slot.opened))
  }

  /** Makes the tasks what the group says. */
  apply(answer: BeatAnswer): void {
    if (this.#isClosed) {
      this.#renewMember(answer.member)
      return
    }
    this.#member = answer.member
    const { log, counters } = this.#parts.dispatcher
    if (answer.view.generation !== this.view.generation) counters.rebalances++
    this.view = answer.view
    this.hasAnswer = true
    if (answer.isLost) log.warn({}, 'the group had given this worker up; its tasks begin again')
    const owned = new Map(answer.owned.map((one) => [one.task, one]))
    this.#applyLeader(owned.get(leaderTask.id), answer.revoked.includes(leaderTask.id))
    owned.delete(leaderTask.id)
    for (const [id, { task }] of this.#slots) {
      if (owned.get(id)?.epoch !== task.owned.epoch) this.drop(task)
    }
    this.#suspended = []
    for (const one of owned.values()) {
      if (this.#slots.has(one.task)) continue
      this.#open(one)
    }
    this.#revoke(answer.revoked.filter((id) => id !== leaderTask.id))
  }

  // What still runs was given to the member of then: under another id it would not be refused.
  #renewMember(member: GroupMember | undefined): void {
    if (member?.memberId === this.#member?.memberId) this.#member = member
  }

  #applyLeader(owned: OwnedTask | undefined, isRevoked: boolean): void {
    if (owned?.epoch !== this.#leader?.epoch) {
      this.#leader = owned
      this.#parts.onLeader(owned)
    }
    if (!isRevoked || owned === undefined) return
    this.#leader = undefined
    this.#parts.onLeader(undefined)
    this.#parts.release([leaderTask.id]).catch(this.#parts.onFatal)
  }

  #open(owned: OwnedTask): void {
    const name = owned.task.slice(0, owned.task.lastIndexOf('/'))
    const sub = this.#parts.subTopologies.get(name)
    if (sub === undefined) {
      this.#parts.onFatal(
        new TailraceError('TAILRACE_BUG_INVARIANT', `the group gave an unknown task ${owned.task}`)
      )
      return
    }
    const task = buildTask(owned, sub, this.#parts.opening)
    const abort = new AbortController()
    const slot: Slot = { task, abort, opened: Promise.resolve() }
    this.#slots.set(owned.task, slot)
    this.#parts.cleanup.keep(task)
    // Looked up now: later it may be this very opening's own end.
    const before = this.#ending.get(owned.task)
    slot.opened = this.#bringUp(slot, before).catch((error: unknown) => {
      if (!abort.signal.aborted) this.#parts.onFatal(error)
    })
  }

  async #bringUp(slot: Slot, before: Promise<void> | undefined): Promise<void> {
    const { task } = slot
    const { opening } = this.#parts
    await this.#parts.quiesce()
    await this.#parts.cleanup.settled(task)
    await before
    if (slot.abort.signal.aborted) return
    await waitedOut(() => this.#recover(slot), {
      clock: this.#parts.clock,
      log: opening.host.log,
      what: `task "${task.owned.task}" cannot be opened`,
      limitMs: opening.settings.brokerTimeoutMs,
      signal: slot.abort.signal,
      hasAdvanced: () => (task.progress?.records ?? 0) > 0
    })
    for (const shard of task.shards) await findStoredWindows(shard, opening.store)
    if (slot.abort.signal.aborted) return
    task.run.carefulUntil = this.#careful.get(task.owned.task)
    this.#careful.delete(task.owned.task)
    task.state = 'running'
    this.#parts.intake.add(task.run)
    this.#parts.dispatcher.kick(task.run)
  }

  /** From committed offsets and checkpoints, however far an attempt before it had come. */
  async #recover({ abort, task }: Slot): Promise<void> {
    const { opening } = this.#parts
    task.progress = undefined
    await positionTask(task, this.#parts.group, opening)
    await restore(
      task.shards.map((shard) => ({
        shard: shard.id,
        changelog: shard.changelog,
        topicId: opening.topics.idOf(shard.changelog)
      })),
      {
        transport: opening.transport,
        store: opening.store,
        clock: this.#parts.clock,
        log: opening.host.log,
        counters: opening.host.counters,
        signal: abort.signal,
        onProgress: (progress) => {
          task.progress = progress
        }
      }
    )
    if (!abort.signal.aborted) await checkOffsetsKept(task, this.#reading(), opening)
  }

  #reading(): { readonly group: string; readonly sources: readonly string[] } {
    const { group, subTopologies } = this.#parts
    const sources = [...subTopologies.values()].flatMap((sub) => sub.sources)
    return { group, sources: sources.map(({ name }) => name) }
  }

  #revoke(ids: readonly string[]): void {
    const slots = ids.flatMap((id) => this.#slots.get(id) ?? [])
    const fresh = slots.filter((slot) => slot.task.state !== 'draining')
    if (fresh.length === 0) return
    this.#handOver(fresh).catch(this.#parts.onFatal)
  }

  async #handOver(slots: readonly Slot[]): Promise<void> {
    await this.#drain(slots, this.#parts.drainTimeoutMs)
    await this.#parts.commit()
    // A task given anew meanwhile is another matter; one begun again by a failed commit is not.
    const over = slots.filter(({ task: { owned } }) => {
      const now = this.#slots.get(owned.task)?.task
      return now === undefined || now.owned.epoch === owned.epoch
    })
    const ids = over.map(({ task }) => task.owned.task)
    for (const id of ids) {
      const task = this.find(id)
      if (task !== undefined) this.drop(task)
    }
    await this.#parts.release(ids)
  }

  async #drain(slots: readonly Slot[], timeoutMs: number): Promise<void> {
    const deadline = new AbortController()
    const cancel = this.#parts.clock.schedule(timeoutMs, () => deadline.abort())
    await Promise.all(
      slots.map(async ({ abort, task }) => {
        const wasOpen = task.state === 'running'
        if (wasOpen) task.state = 'draining'
        else abort.abort()
        if (wasOpen) await task.run.drain(deadline.signal)
      })
    )
    cancel()
  }

  /** Drains every task: for a warm stop. */
  async drainAll(timeoutMs: number): Promise<void> {
    this.#isClosed = true
    await this.#drain([...this.#slots.values()], timeoutMs)
  }

  /** Ends a task as it is: what it did since its last commit never happened. */
  drop(task: OpenTask): void {
    const slot = this.#slots.get(task.owned.task)
    if (slot === undefined || slot.task !== task) return
    this.#slots.delete(task.owned.task)
    slot.abort.abort()
    task.state = 'closed'
    task.run.abandon()
    this.#parts.dispatcher.forget(task.owned.task)
    const id = task.owned.task
    const before = this.#ending.get(id)
    const ending = Promise.all([before, slot.opened]).then(() => {
      if (this.#ending.get(id) === ending) this.#ending.delete(id)
    })
    this.#ending.set(id, ending)
    this.#parts.intake.remove(task.run)
    for (const shard of task.shards) shard.cache.close()
    this.#parts.cleanup.leave(task)
  }

  dropAll(): void {
    this.#isClosed = true
    for (const task of this.tasks) this.drop(task)
  }

  /** Every task ends; each begins again at its last commit when `resumeAll` is called. */
  suspendAll(failed: readonly OpenTask[], cause: unknown): void {
    const { log } = this.#parts.dispatcher
    log.warn({ err: cause }, `tasks begin again at their last commit: ${messageOf(cause)}`)
    const { tasks } = this
    for (const task of tasks) {
      const until = carefulUntil(task, failed.includes(task))
      if (until !== undefined) this.#careful.set(task.owned.task, until)
      this.drop(task)
    }
    this.#suspended = tasks.map((task) => task.owned)
  }

  /** Unless the group has said meanwhile what is to be open. */
  resumeAll(): void {
    const suspended = this.#suspended
    this.#suspended = []
    if (this.#isClosed) return
    for (const owned of suspended) {
      if (!this.#slots.has(owned.task)) this.#open(owned)
    }
  }
}

// A task looks for what failed it: until there, writes are checked as they are accepted. One that
// has not found it yet when all begin again goes on looking.
function carefulUntil(
  { run }: OpenTask,
  hasFailed: boolean
): ReadonlyMap<string, number> | undefined {
  if (!hasFailed) return run.isCareful ? run.carefulUntil : undefined
  return new Map(run.positions.map(({ position, topic }) => [topic, position]))
}
