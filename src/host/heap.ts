// How far the heap of a worker's process grows.
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

const percentFlag = '--heap-growing-percent'
/** Garbage that V8 may leave among old objects, in percent of what is alive. */
const growthPercent = 100
/** Flags by which somebody else has decided how large the space for new objects is. */
const youngFlags = ['--max-semi-space-size', '--min-semi-space-size', '--semi-space-growth-factor']
/**
 * Both halves of the space for new objects. V8 would take 128 MB and be no faster; with 16 MB an
 * event costs a fifth more, since rows on their way into a table survive too many collections.
 */
const youngBytesMax = 32 * 1_048_576
const lookEveryMs = 50

/**
 * V8 decides by its speeds of the moment how far old objects may grow before it collects them, up
 * to four times what is alive, and doubles the space for new ones while many survive: the same
 * worker takes 450 MB one day and 800 the next. Operators set limits by what a worker takes, so it
 * takes the same each day. What the command line says about either stays.
 */
export function boundHeapGrowth(): void {
  if (!isDecided([percentFlag])) setFlagsFromString(`${percentFlag}=${growthPercent}`)
  if (isDecided(youngFlags)) return
  // Its largest size is read once, before any code runs; that it grows can be ended at any time.
  const looking = setInterval(() => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
    if (young !== undefined && young.space_size < youngBytesMax) return
    clearInterval(looking)
    setFlagsFromString('--semi-space-growth-factor=1')
  }, lookEveryMs)
  looking.unref()
}

function isDecided(flags: readonly string[]): boolean {
  const given = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)]
  return flags.some((flag) => given.some((one) => one.startsWith(flag)))
}
