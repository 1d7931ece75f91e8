// How full the heap of this process is, counted as V8 does when it runs out of memory.
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8'

const mebibyte = 1_048_576
/** V8 reserves three halves for new objects: two to copy between, and one for large ones. */
const youngHalves = 3
/** The largest half that V8 takes by itself; in a small heap it is a share of all. */
const halfBytesMax = 64 * mebibyte
const halfShare = 1 / 19

/** Flags of the command line before those of NODE_OPTIONS: the last one given counts. */
export function heapFlags(): readonly string[] {
  return [...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/), ...process.execArgv]
}

/**
 * How many bytes old objects may take. The limit that V8 tells includes the space for new ones,
 * which old ones never get: of 200 MB for old objects it makes 392.
 */
export function oldBytesMax(limitBytes: number, flags: readonly string[]): number {
  const old = megabytesOf(flags, 'max-old-space-size')
  if (old !== undefined) return Math.min(limitBytes, old)
  const asked = megabytesOf(flags, 'max-semi-space-size')
  const half =
    asked === undefined
      ? Math.min(halfBytesMax, limitBytes * halfShare)
      : 2 ** Math.ceil(Math.log2(asked))
  // More for new objects than there is at all: nothing better is known than what V8 tells.
  const left = limitBytes - youngHalves * half
  return left > 0 ? left : limitBytes
}

/** Share of what old objects may take that they have, in percent. */
export function heapPercent(): number {
  const { heap_size_limit, used_heap_size } = getHeapStatistics()
  const young = getHeapSpaceStatistics()
    .filter(({ space_name }) => space_name.startsWith('new_'))
    .reduce((bytes, { space_used_size }) => bytes + space_used_size, 0)
  return ((used_heap_size - young) / oldBytesMax(heap_size_limit, heapFlags())) * 100
}

function megabytesOf(flags: readonly string[], name: string): number | undefined {
  const values = flags.flatMap((flag) => {
    const [given = '', value] = flag.split('=')
    return given.replaceAll('_', '-') === `--${name}` ? [Number(value)] : []
  })
  const last = values.at(-1)
  return last !== undefined && last > 0 ? last * mebibyte : undefined
}
