// Processor time and memory of a process and of everything it has started, as Linux counts them.
import { readdirSync, readFileSync } from 'node:fs'

const jiffyMs = 10

interface Stat {
  readonly parent: number
  readonly cpuMs: number
}

/** Of the process, its descendants, and those of them that have ended and were waited for. */
export function cpuMs(pid: number): number {
  return treeOf(pid).reduce((sum, one) => sum + (statOf(one)?.cpuMs ?? 0), 0)
}

/** The most each was ever resident, together, in MB. */
export function peakMb(pid: number): number {
  return treeOf(pid).reduce((sum, one) => sum + peakOf(one), 0)
}

function treeOf(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const parent = Number.isInteger(pid) ? statOf(pid)?.parent : undefined
    if (parent === undefined) continue
    const siblings = children.get(parent) ?? []
    siblings.push(pid)
    children.set(parent, siblings)
  }
  const tree: number[] = []
  for (const waiting = [root]; waiting.length > 0; ) {
    const pid = waiting.pop() ?? root
    tree.push(pid)
    waiting.push(...(children.get(pid) ?? []))
  }
  return tree
}

function statOf(pid: number): Stat | undefined {
  const text = read(`/proc/${pid}/stat`)
  if (text === undefined) return undefined
  // The name before it stands in brackets, and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const at = (index: number): number => Number(fields[index] ?? 0)
  return { parent: at(1), cpuMs: (at(11) + at(12) + at(13) + at(14)) * jiffyMs }
}

function peakOf(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '')
  return (Number(line?.[1] ?? 0) * 1_024) / 1e6
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // It has ended meanwhile.
    return undefined
  }
}
