// What a worker says of itself: for `/status`, `/ready`, dumps and tests.
import { formatDuration } from '../core/duration.ts'
import type { BackgroundStatus } from './background.ts'
import type { Counters } from './monitor.ts'
import type { NodePlace } from './node-place.ts'
import type { OpenTask, TaskState } from './open-task.ts'
import type { RestoreProgress } from './recovery.ts'
import type { TaskSet } from './task-set.ts'

export type WorkerState = 'starting' | 'running' | 'stopping' | 'stopped' | 'failed'

/** One task of a worker. */
export interface TaskStatus {
  /** Its sub-topology and its partition: `{topics and tables}/{partition}`. */
  readonly id: string
  readonly partition: number
  /** `stopped`: an agent of it called `events.stop()`. */
  readonly state: TaskState | 'stopped'
  /** Undefined unless it is being restored. */
  readonly restore: RestoreProgress | undefined
  /** Records between the last finished one and the readable end, all sources together. */
  readonly lag: number
  /** Next offset of each source topic. */
  readonly positions: Readonly<Record<string, number>>
  /** Records finished since it was opened. */
  readonly finished: number
  /** In ms since 1970; null before the first event. */
  readonly streamTime: number | null
  /** The event that it works on right now; with `concurrency`, the one longest at work. */
  readonly openEvent: OpenEventStatus | undefined
  /** All of them, in the order of the log. */
  readonly openEvents: readonly OpenEventStatus[]
}

/** The event that a task works on. */
export interface OpenEventStatus {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly agent: string
  readonly ageMs: number
  /** Between two tries: no code of the agent runs. */
  readonly isWaiting: boolean
}

/** What a worker says of itself: `worker.status()` and `/status`. */
export interface WorkerStatus {
  readonly state: WorkerState
  /** Which node of a swarm it is; undefined for a worker alone. */
  readonly node: NodePlace | undefined
  /** It was told to begin nothing new; what it has it keeps, until it is stopped. */
  readonly isQuiet: boolean
  /** True when it is assigned and every table of it is restored: `/ready`. */
  readonly isReady: boolean
  /** Why it is not ready, in a sentence. */
  readonly reason: string | undefined
  readonly memberId: string
  /** Of the group, as this worker last heard. */
  readonly generation: number
  readonly isLeader: boolean
  readonly leaderEpoch: number | undefined
  readonly tasks: readonly TaskStatus[]
  /** Decoded table values in memory, as counted against `cacheBytesMax`. */
  readonly cacheBytes: number
  /** Timers and tasks of the app that this worker has started. */
  readonly background: readonly BackgroundStatus[]
  /** Since the worker started: `finished`, `failures`, `late`, `commits`, `restarts` and others. */
  readonly counters: Readonly<Counters>
}

export function taskStatus(task: OpenTask): TaskStatus {
  const { run } = task
  const openEvents = run.openEvents.map((event) => ({ ...event, ageMs: Math.round(event.ageMs) }))
  const streamTime = run.time.finished
  return {
    id: task.owned.task,
    partition: task.partition,
    state: run.isStopped ? 'stopped' : task.state,
    restore: task.state === 'restoring' ? task.progress : undefined,
    lag: run.positions.reduce((sum, { lag }) => sum + lag, 0),
    positions: Object.fromEntries(run.positions.map(({ position, topic }) => [topic, position])),
    finished: run.finishedRecords,
    streamTime: Number.isFinite(streamTime) ? streamTime : null,
    openEvent: longestAtWork(openEvents),
    openEvents
  }
}

// One that waits for its next try is not at work; the first of equals.
function longestAtWork(events: readonly OpenEventStatus[]): OpenEventStatus | undefined {
  const atWork = (event: OpenEventStatus): number => (event.isWaiting ? -1 : event.ageMs)
  let longest = events[0]
  for (const event of events) {
    if (longest !== undefined && atWork(event) > atWork(longest)) longest = event
  }
  return longest
}

/** Why the worker is not ready; undefined when it is. */
export function unreadyReason(
  state: WorkerState,
  { hasAnswer, isSuspended, tasks }: Pick<TaskSet, 'hasAnswer' | 'isSuspended' | 'tasks'>
): string | undefined {
  if (state !== 'running' && state !== 'starting') return `the worker is ${state}`
  if (!hasAnswer) return 'the worker is joining its group'
  if (isSuspended) return 'a commit failed, and its tasks begin again'
  const restoring = tasks.filter((task) => task.state === 'restoring')
  if (restoring.length > 0) {
    const left = restoring.reduce((sum, task) => sum + (task.progress?.remaining ?? 0), 0)
    const etas = restoring.flatMap((task) => task.progress?.etaMs ?? [])
    const eta = etas.length === 0 ? '' : `, about ${formatDuration(Math.max(...etas))}`
    const what = `${restoring.length} of ${tasks.length} tasks are being restored`
    return `${what}, ${left} records left${eta}`
  }
  if (state === 'starting') return 'the worker is starting'
  return undefined
}

/** What runs, as text for a person at night. */
export function dumpText(status: WorkerStatus): string {
  const who = status.node === undefined ? 'worker' : `node ${status.node.id}, worker`
  const head =
    `${who} ${status.memberId}: ${status.state}` +
    (status.isQuiet ? ', quiet' : '') +
    (status.isReady ? ', ready' : `, not ready: ${status.reason ?? ''}`) +
    (status.isLeader ? `, leader since generation ${status.leaderEpoch}` : '') +
    `, generation ${status.generation}`
  const tasks = status.tasks.map((task) => {
    const open = task.openEvents.map((event) => {
      const { ageMs, agent, isWaiting, offset, partition, topic } = event
      const what = `"${topic}" partition ${partition} offset ${offset} in agent "${agent}"`
      return `${isWaiting ? 'waits with' : 'works on'} ${what}, ${ageMs} ms`
    })
    const work = open.length === 0 ? 'no open event' : open.join('; ')
    return `  ${task.id}: ${task.state}, lag ${task.lag}, ${task.finished} finished, ${work}`
  })
  const background = status.background.map(({ kind, name, runningMs }) => {
    const doing = runningMs === undefined ? 'does not run now' : `runs, ${Math.round(runningMs)} ms`
    return `  ${kind} "${name}": ${doing}`
  })
  const counters = Object.entries(status.counters).map(([name, value]) => `${name} ${value}`)
  return [head, ...tasks, ...background, `  ${counters.join(', ')}`].join('\n')
}
