// Which run of tests this process belongs to: all files of one run share one broker.
import { readFileSync } from 'node:fs'

/** The process id of the test runner; of this process when it runs a file by itself. */
export function runId(): number {
  return process.env['NODE_TEST_CONTEXT'] === undefined ? process.pid : process.ppid
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  return !isZombie(pid)
}

/** Ended, but whoever should take note of it does not: seen where a container has no init. */
function isZombie(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}
