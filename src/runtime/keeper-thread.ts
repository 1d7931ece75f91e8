// The keeper thread: membership and stall watch, on a connection of its own. It must not depend on
// anything the worker's loop does, because its work begins when that loop is blocked.
import { parentPort, workerData } from 'node:worker_threads'
import { messageOf, TailraceError } from '../core/errors.ts'
import type { Transport } from '../port/transport.ts'
import { CommitLease } from './commit-lease.ts'
import { KeeperLoop } from './keeper-loop.ts'
import type { FromKeeper, KeeperStart, ToKeeper, ToldError } from './keeper-messages.ts'
import { Pulse } from './pulse.ts'
import { quietWarnings } from './quiet-warnings.ts'
import { realClock } from './real-clock.ts'
import { endBlocked, watchLoop } from './stall-watch.ts'

const { door, lease, leaseMsMax, request, shared, tasks } = workerData as KeeperStart

function say(message: FromKeeper): void {
  parentPort?.postMessage(message)
}

async function main(): Promise<void> {
  quietWarnings()
  const opened: unknown = await import(door.module)
  const transport = await openDoor(opened)
  const loop = new KeeperLoop({
    coordinator: await transport.coordinator(),
    clock: realClock,
    request,
    lease: new CommitLease(realClock, lease),
    leaseMsMax,
    onAnswer: (answer, membership) => say({ kind: 'answer', answer, membership }),
    onError: (error) => say({ kind: 'error', error: toldOf(error), isFatal: false }),
    onRefused: fail
  })
  const pulse = new Pulse(tasks, shared)
  const endWatch = watchLoop(pulse, realClock, (silentMs) => void endBlocked(pulse, silentMs))
  const leave = async (): Promise<void> => {
    endWatch()
    await loop.leave()
    await transport.close()
    say({ kind: 'left' })
    parentPort?.close()
  }
  parentPort?.on('message', (message: ToKeeper) => {
    const work =
      message.kind === 'leave'
        ? leave()
        : loop.release(message.tasks).then(() => say({ kind: 'released', id: message.id }))
    work.catch(fail)
  })
  await loop.start()
  say({ kind: 'joined' })
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
