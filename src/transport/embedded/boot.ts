// Who we are to other processes: this boot of the machine, this pid namespace, this process.

import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'

export interface ProcessIdentity {
  /** Differs after each start of the machine, as far as the platform tells. */
  readonly boot: string
  /** Process ids can be compared only inside one namespace. */
  readonly pidNamespace: string
  readonly pid: number
}

export function processIdentity(): ProcessIdentity {
  return { boot: bootId(), pidNamespace: pidNamespace(), pid: process.pid }
}

/** Nanoseconds are too fine and floats too coarse: whole ms of the system-wide monotonic clock. */
export function systemMonotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n)
}

/** True unless the process is known to be gone; a process of another user (EPERM) lives. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

/** An empty text where the platform does not say: the monotonic clock then tells a new start. */
function bootId(): string {
  try {
    if (process.platform === 'linux') {
      return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    }
    if (process.platform === 'darwin') {
      return execFileSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' })
    }
  } catch {
    // A sandbox may hide it; the log then trusts the monotonic clock alone.
  }
  return ''
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}
