// How far the heap of a worker's process grows.
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, type HeapSpaceInfo, setFlagsFromString } from 'node:v8'

const percentFlag = '--heap-growing-percent'
/**
 * Garbage that V8 may leave among old objects: as much as is alive, and in a small heap this much.
 * Each search for it costs the same whatever it finds, and small heaps fill fast.
 */
const growthBytesMin = 96 * 1_048_576
const growthPercents = { min: 100, max: 400 } as const
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
  if (!isDecided([percentFlag])) boundOld()
  if (!isDecided(youngFlags)) boundYoung()
}

// V8 takes the share from what is alive when a search ends, so the one after the next has it right.
function boundOld(): void {
  let percent: number = growthPercents.max
  const set = (): void => setFlagsFromString(`${percentFlag}=${percent}`)
  set()
  const observer = new PerformanceObserver((list) => {
    const entries = list.getEntries() as readonly { readonly detail?: { readonly kind?: number } }[]
    if (!entries.some(({ detail }) => detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR)) return
    const before = percent
    const old = [spaceOf('old_space'), spaceOf('large_object_space')]
    percent = percentFor(old.reduce((bytes, space) => bytes + (space?.space_used_size ?? 0), 0))
    if (percent !== before) set()
  })
  observer.observe({ type: 'gc' })
}

/** How far so many bytes of old objects that are alive may grow. */
export function percentFor(aliveBytes: number): number {
  const { max, min } = growthPercents
  return Math.round(Math.min(max, Math.max(min, (growthBytesMin / aliveBytes) * 100)))
}

function spaceOf(name: string): HeapSpaceInfo | undefined {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === name)
}

function boundYoung(): void {
  // Its largest size is read once, before any code runs; that it grows can be ended at any time.
  const looking = setInterval(() => {
    const young = spaceOf('new_space')
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
