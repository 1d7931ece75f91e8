// When commits happen: at their interval, under pressure, on a hand-over and on a stop; one at a
// time. A commit that failed ends in a crash in place: every task begins again at its last commit.
import { hasCode, TailraceError } from '../core/errors.ts'
import { type Clock, pause } from '../port/clock.ts'
import type { GroupMember } from '../port/coordinator.ts'
import type { TransactionalProducer, TransactionOptions, Transport } from '../port/transport.ts'
import { type CommitParts, commitTasks, UnencodableTasks } from './commit.ts'
import type { CommitLease } from './commit-lease.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Intake } from './intake.ts'
import { hasProgress, type OpenTask } from './open-task.ts'
import { isBeyondEvents } from './policy.ts'
import { Sender } from './sender.ts'
import type { TaskSet } from './task-set.ts'
import { Upkeep } from './upkeep.ts'
import { within } from './within.ts'

export interface CommitLoopParts extends Omit<CommitParts, 'member' | 'renewed' | 'within'> {
  readonly transport: Transport
  readonly transactionalId: string
  readonly clock: Clock
  readonly lease: CommitLease
  readonly intervalMs: number
  readonly timeoutMs: number
  /** For how long a new transaction is tried for. */
  readonly brokerTimeoutMs: number
  readonly transaction: TransactionOptions
  readonly dispatcher: Dispatcher
  readonly intake: Intake
  readonly tasks: () => TaskSet
  readonly upkeep: Upkeep
  readonly onFatal: (error: unknown) => void
}

/** Restarts without one successful commit between them, after which the worker gives up. */
const restartsMax = 5
const reopenPauseMs = 200
const renewPauseMs = 5
const stoppedText = 'the worker stopped before a transaction could be begun'

export class CommitLoop {
  readonly #parts: CommitLoopParts
  #sender: Sender | undefined
  #chain: Promise<void> = Promise.resolve()
  readonly #cold: AbortController = new AbortController()
  #isStopped = false
  #wake: () => void = () => undefined
  #isAsked = false
  #running: Promise<void> = Promise.resolve()
  #restartsInARow = 0

  constructor(parts: CommitLoopParts) {
    this.#parts = parts
  }

  get sender(): Sender | undefined {
    return this.#sender
  }

  async start(): Promise<void> {
    await this.#openSender()
    // Stopped meanwhile: then nobody else closes it.
    if (this.#isStopped) await this.#sender?.close()
    else this.#running = this.#run()
  }

  /** Asks for a commit before its interval is over. */
  request(): void {
    this.#isAsked = true
    this.#wake()
  }

  /** Commits now, after the one under way if there is one. */
  commit(): Promise<void> {
    const next = this.#chain.then(() => this.#commitOnce())
    this.#chain = next.catch(this.#parts.onFatal)
    return next
  }

  /** Resolves when no commit is under way. */
  quiesce(): Promise<void> {
    return this.#chain
  }

  /** Cold: gives up the commit under way, or the transaction that cannot be begun. */
  async stop({ isCold = false }: { readonly isCold?: boolean } = {}): Promise<void> {
    this.#isStopped = true
    if (isCold) this.#cold.abort()
    this.#wake()
    await this.#running
    await this.#chain
    await this.#parts.upkeep.settled()
    await this.#sender?.close()
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.#interval()
      if (this.#isStopped) return
      this.#isAsked = false
      await this.commit().catch(() => undefined)
    }
  }

  async #interval(): Promise<void> {
    if (this.#isAsked) return
    const woken = new AbortController()
    this.#wake = () => woken.abort()
    await pause(this.#parts.clock, this.#parts.intervalMs, woken.signal)
    this.#wake = () => undefined
  }

  async #openSender(): Promise<void> {
    const { dispatcher, lease, transaction, transactionalId, transport } = this.#parts
    const producer = await this.#unlessCold(
      transport.transactionalProducer(transactionalId, transaction)
    )
    const { sessionTimeoutMs } = transport.features
    producer.notAfter?.(() => lease.safeUntilMs(sessionTimeoutMs))
    const sender = new Sender(producer)
    await sender.begin()
    this.#sender = sender
    dispatcher.use(sender)
  }

  async #commitOnce(): Promise<void> {
    const sender = this.#sender
    if (sender === undefined) return
    const set = this.#parts.tasks()
    const { counters, lease } = this.#parts
    const commitsBefore = counters.commits
    // A membership that ends meanwhile would have the log refuse what was frozen under it.
    const isDue = set.committable.some(hasProgress)
    if (isDue && !lease.tryTake()) await lease.take(this.#parts.timeoutMs)
    try {
      const ending = <T>(work: Promise<T>): Promise<T> =>
        this.#within(work).finally(() => lease.release())
      const { member } = set
      const lost = await commitTasks(set.committable, sender, {
        ...this.#parts,
        member,
        renewed: (tasks) => this.#renewed(tasks, set, member),
        within: ending
      })
      for (const task of lost) this.#drop(task, set)
      // One that had nothing to commit proves nothing: tasks may still be on their way back.
      if (counters.commits > commitsBefore) this.#restartsInARow = 0
      this.#parts.upkeep.afterCommit(set.committable)
    } catch (error) {
      lease.release()
      await this.#restart(error, set)
    }
    lease.release()
    this.#relieve(set)
  }

  // Held tasks go on, and paused partitions are fetched again.
  #relieve(set: TaskSet): void {
    this.#parts.dispatcher.relieve()
    for (const task of set.tasks) {
      this.#parts.intake.relieve(task.run)
      if (task.state === 'running') this.#parts.dispatcher.kick(task.run)
    }
  }

  #drop(task: OpenTask, set: TaskSet): void {
    const fields = { task: task.owned.task }
    this.#parts.dispatcher.log.warn(fields, 'a task is owned by another worker now; dropping it')
    set.drop(task)
  }

  // The group moved on between the look at its generation and the commit. Only members say what
  // they own, so what is still open here is still ours; a loss or a new owner has closed it.
  async #renewed(
    tasks: readonly OpenTask[],
    set: TaskSet,
    refused: GroupMember | undefined
  ): Promise<GroupMember | undefined> {
    const { clock, timeoutMs } = this.#parts
    const until = clock.monotonic() + timeoutMs
    const isSame = (): boolean =>
      set.member?.memberId === refused?.memberId && set.member?.generation === refused?.generation
    while (isSame() && clock.monotonic() < until) await pause(clock, renewPauseMs)
    const isKept = set.member?.memberId === refused?.memberId && !isSame()
    return isKept && tasks.every(({ state }) => state !== 'closed') ? set.member : undefined
  }

  #within<T>(work: Promise<T>): Promise<T> {
    const { clock, timeoutMs } = this.#parts
    const late = (): TailraceError =>
      new TailraceError(
        'TAILRACE_TRANSPORT_UNAVAILABLE',
        `a commit did not end within commitTimeout (${timeoutMs} ms)`
      )
    return within(work, { clock, limitMs: timeoutMs, late, signal: this.#cold.signal })
  }

  // One that is opened although nobody waits for it any more is closed again.
  async #unlessCold(opening: Promise<TransactionalProducer>): Promise<TransactionalProducer> {
    const { signal } = this.#cold
    const { promise: cold, reject } = Promise.withResolvers<never>()
    const cut = (): void => reject(new TailraceError('TAILRACE_TRANSPORT_CLOSED', stoppedText))
    signal.addEventListener('abort', cut)
    try {
      return await Promise.race([opening, cold])
    } catch (error) {
      void opening.then((producer) => producer.close()).catch(() => undefined)
      throw error
    } finally {
      signal.removeEventListener('abort', cut)
    }
  }

  async #restart(error: unknown, set: TaskSet): Promise<void> {
    const { counters, onFatal } = this.#parts
    if (this.#isStopped || isHopeless(error)) {
      onFatal(error)
      return
    }
    counters.restarts++
    const failed = error instanceof UnencodableTasks ? error.tasks : noTasks
    const cause = error instanceof UnencodableTasks ? error.cause : error
    // Tasks that now look for what failed them get on: it is no failure without end.
    const getsOn = failed.length > 0 && !failed.some(({ run }) => run.isCareful)
    if (!getsOn) this.#restartsInARow++
    if (this.#restartsInARow > restartsMax) {
      onFatal(cause)
      return
    }
    // Before anything is awaited: nothing of theirs may get into the next transaction.
    set.suspendAll(failed, cause)
    await this.#sender?.close().catch(() => undefined)
    // What the log refuses at once may pass (a group that moves on): it is given time for that.
    const again = this.#restartsInARow - 2
    if (again >= 0) await pause(this.#parts.clock, reopenPauseMs * 2 ** again, this.#cold.signal)
    await this.#reopenSender()
    set.resumeAll()
  }

  // Tasks wait meanwhile, so a log that is away for a moment costs no more than that moment.
  async #reopenSender(): Promise<void> {
    const { brokerTimeoutMs, clock, dispatcher } = this.#parts
    const until = clock.monotonic() + brokerTimeoutMs
    for (;;) {
      try {
        await this.#openSender()
        return
      } catch (error) {
        if (this.#isStopped || clock.monotonic() >= until) throw error
        dispatcher.log.warn({ err: error }, 'no transaction can be begun; trying again')
        await pause(clock, reopenPauseMs)
      }
    }
  }
}

const noTasks: readonly OpenTask[] = []

// Trying again meets the same wall: the worker stops, and the log is the truth at the next start.
function isHopeless(error: unknown): boolean {
  return isBeyondEvents(error) || hasCode(error, 'TAILRACE_TRANSPORT_CLOSED')
}
