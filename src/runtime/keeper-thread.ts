// The keeper thread: membership and stall watch, on a connection of its own. It must not depend on
// anything the worker's loop does, because its work begins when that loop is blocked.
import { parentPort, workerData } from 'node:worker_threads'
import { hasCode, messageOf, TailraceError } from '../core/errors.ts'
import { pause } from '../port/clock.ts'
import type { Transport } from '../port/transport.ts'
import { CommitLease } from './commit-lease.ts'
import { HealthReports } from './health-reports.ts'
import { KeeperLoop } from './keeper-loop.ts'
import type {
  FromKeeper,
  KeeperStart,
  ReleaseMessage,
  ToKeeper,
  ToldError
} from './keeper-messages.ts'
import { Pulse } from './pulse.ts'
import { quietWarnings } from './quiet-warnings.ts'
import { realClock } from './real-clock.ts'
import { endBlocked, watchLoop } from './stall-watch.ts'

const { door, health, lease, leaseMsMax, request, shared, tasks } = workerData as KeeperStart

function say(message: FromKeeper): void {
  parentPort?.postMessage(message)
}

interface Connection {
  readonly transport: Transport
  readonly loop: KeeperLoop
}

const leaving = new AbortController()
let connection: Connection | undefined
let reports: HealthReports | undefined

async function main(): Promise<void> {
  quietWarnings()
  const pulse = new Pulse(tasks, shared)
  if (health !== undefined) {
    const isSettled = (): boolean => connection?.loop.isSettled ?? false
    reports = new HealthReports({ ...health, pulse, clock: realClock, isSettled })
    reports.start()
  }
  const endWatch = watchLoop(pulse, realClock, (silentMs) => void endBlocked(pulse, silentMs))
  parentPort?.on('message', (message: ToKeeper) => {
    if (message.kind === 'leave') endWatch()
    const work = message.kind === 'leave' ? leave() : release(message)
    work.catch(fail)
  })
  const connected = await connect()
  if (connected === undefined) return
  connection = connected
  await connected.loop.start()
  say({ kind: 'joined' })
}

/** Between two tries to connect. */
const againMs = { first: 100, max: 1_000 }

/**
 * A log that is away is tried again: the worker's own connection has shown that its address is
 * right. The worker counts for how long, and ends when that is too long.
 */
async function connect(): Promise<Connection | undefined> {
  const { signal } = leaving
  for (let delayMs = againMs.first; !signal.aborted; delayMs *= 2) {
    try {
      const connected = await openConnection()
      say({ kind: 'heard' })
      return connected
    } catch (error) {
      if (!hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE')) throw error
      say({ kind: 'error', error: toldOf(error), isFatal: false })
    }
    await pause(realClock, Math.min(delayMs, againMs.max), signal)
  }
  return undefined
}

async function openConnection(): Promise<Connection> {
  const opened: unknown = await import(door.module)
  const transport = await openDoor(opened)
  try {
    const loop = new KeeperLoop({
      coordinator: await transport.coordinator(),
      clock: realClock,
      request,
      lease: new CommitLease(realClock, lease),
      leaseMsMax,
      onAnswer: (answer, membership) => say({ kind: 'answer', answer, membership }),
      onHeard: () => say({ kind: 'heard' }),
      onError: (error) => say({ kind: 'error', error: toldOf(error), isFatal: false }),
      onRefused: fail
    })
    return { transport, loop }
  } catch (error) {
    await transport.close()
    throw error
  }
}

async function leave(): Promise<void> {
  leaving.abort()
  // Nothing was joined; what is still being opened would hold up the end of the worker.
  if (connection === undefined) process.exit()
  await connection.loop.leave()
  await connection.transport.close()
  reports?.stop()
  say({ kind: 'left' })
  parentPort?.close()
}

async function release({ id, tasks: released }: ReleaseMessage): Promise<void> {
  await connection?.loop.release(released)
  say({ kind: 'released', id })
}

async function openDoor(opened: unknown): Promise<Transport> {
  const entrance = opened as { open(argument: string): Promise<Transport> }
  return entrance.open(door.argument)
}

function fail(error: unknown): void {
  say({ kind: 'error', error: toldOf(error), isFatal: true })
  parentPort?.close()
}

function toldOf(error: unknown): ToldError {
  if (!(error instanceof TailraceError)) {
    return { message: messageOf(error), code: undefined, hint: undefined }
  }
  return { message: error.sentence, code: error.code, hint: error.hint }
}

main().catch(fail)
