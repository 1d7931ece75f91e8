// Whether a process that is not ours to wait for has ended.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Hit only by a test that fails. */
const patienceMs = 60_000

/** Waits for it to end; false when it does not. */
export async function isGone(pid: number): Promise<boolean> {
  const until = performance.now() + patienceMs
  while (performance.now() < until) {
    if (!tryKill(pid, 0) || isZombie(pid)) return true
    await sleep(20)
  }
  return false
}

/** False when there is no such process. */
export function tryKill(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/** Ended, and not yet taken note of: the first process of a container may never do so. */
function isZombie(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
