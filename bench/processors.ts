// What the machine does besides: a figure taken while others work is to be distrusted.
import { readFileSync } from 'node:fs'

const jiffyMs = 10

/** Time that all processors of the machine have worked so far, in ms; NaN where it is not known. */
export function machineMs(): number {
  try {
    const [, ...fields] = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.split(/\s+/) ?? []
    const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0] = fields.map(Number)
    return (user + nice + system + irq + softIrq) * jiffyMs
  } catch {
    return Number.NaN
  }
}

/** Of this process. */
export function ownMs(): number {
  const { system, user } = process.cpuUsage()
  return (user + system) / 1_000
}
