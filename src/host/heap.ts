// How far the heap of a worker's process grows.
import { setFlagsFromString } from 'node:v8'

const flag = '--heap-growing-percent'
/** Garbage that V8 may leave among old objects, in percent of what is alive. */
const growthPercent = 50

/**
 * V8 decides by its speeds of the moment how far old objects may grow before it collects them, up
 * to four times what is alive: the same worker takes 450 MB one day and 800 the next. Operators set
 * limits by what a worker takes, so it takes the same each day.
 */
export function boundHeapGrowth(): void {
  if (process.execArgv.some((arg) => arg.startsWith(flag))) return
  setFlagsFromString(`${flag}=${growthPercent}`)
}
