// What processes have of memory, by what the kernel counts. RSS counts a shared page in each of
// them; PSS gives each its part of it, and can be added up; USS is what goes when it ends.
import { readFile } from 'node:fs/promises'

/** Of one process, in bytes. */
export interface ProcessMemory {
  /** Resident: its own pages, and all that it shares. */
  readonly rssBytes: number
  /** Proportional: a page that n processes have counts as an n-th. */
  readonly pssBytes: number
  /** Unique: what nobody else has. */
  readonly ussBytes: number
  /** Its part of what was moved to the disk. */
  readonly swapBytes: number
}

/** Of several together; what they share, be it with others, is `sharedBytes` of `pssBytes`. */
export interface MemoryTotal extends ProcessMemory {
  readonly sharedBytes: number
}

/** Reads the text of /proc/<pid>/smaps_rollup; undefined where it is none. */
export function parseSmapsRollup(text: string): ProcessMemory | undefined {
  const rows = new Map<string, number>()
  for (const [, name = '', kibibytes] of text.matchAll(/^(\w+): +(\d+) kB$/gm)) {
    rows.set(name, Number(kibibytes) * 1_024)
  }
  const [rssBytes, pssBytes] = [rows.get('Rss'), rows.get('Pss')]
  if (rssBytes === undefined || pssBytes === undefined) return undefined
  const sum = (...names: readonly string[]): number =>
    names.reduce((bytes, name) => bytes + (rows.get(name) ?? 0), 0)
  return {
    rssBytes,
    pssBytes,
    ussBytes: sum('Private_Clean', 'Private_Dirty', 'Private_Hugetlb'),
    // Older kernels do not share it out.
    swapBytes: rows.get('SwapPss') ?? sum('Swap')
  }
}

/** Undefined where there is no such process of ours, or the system does not say it. */
export async function memoryOf(pid: number): Promise<ProcessMemory | undefined> {
  try {
    return parseSmapsRollup(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8'))
  } catch {
    return undefined
  }
}

export function totalOf(processes: readonly ProcessMemory[]): MemoryTotal {
  const sum = (of: (one: ProcessMemory) => number): number =>
    processes.reduce((bytes, one) => bytes + of(one), 0)
  const pssBytes = sum((one) => one.pssBytes)
  const ussBytes = sum((one) => one.ussBytes)
  return {
    rssBytes: sum((one) => one.rssBytes),
    pssBytes,
    ussBytes,
    swapBytes: sum((one) => one.swapBytes),
    sharedBytes: pssBytes - ussBytes
  }
}
