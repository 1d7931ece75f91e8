// The process that is measured: one app, one worker. The parent says what to run and when it is
// over; figures and the comparison of the table with the input are answered.
import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { boundHeapGrowth } from '../src/host/heap.ts'
import { heldMs, IdleLoop } from './idle-loop.ts'
import { countByMinute } from './page-views.ts'
import { type Job, programOf } from './programs.ts'
import { problemsOf } from './table-check.ts'

export type Question = 'figures' | 'check' | 'watch' | 'stop'
export type Answer =
  | { readonly kind: 'first'; readonly at: number }
  | { readonly kind: 'warm'; readonly at: number }
  | { readonly kind: 'ready' }
  | { readonly kind: 'watching' }
  | { readonly kind: 'figures'; readonly figures: Readonly<Record<string, number>> }
  | { readonly kind: 'check'; readonly problems: readonly string[] }

// As `tailrace worker` does.
boundHeapGrowth()
const job = JSON.parse(process.argv[2] ?? '{}') as Job
let seen = 0
let cpuWhenFirst = 0
let cpuWhenWarm = 0
/** Resident when a tenth was seen: what follows may not add to it. */
let rssMbAtTenth = Number.NaN
const tenth = Math.round(job.events / 10)
const program = programOf(job, () => {
  if (seen === 0) {
    cpuWhenFirst = cpuMicros()
    say({ kind: 'first', at: Date.now() })
  }
  if (seen === tenth) rssMbAtTenth = rssMb()
  if (seen++ !== job.warmUp) return
  cpuWhenWarm = cpuMicros()
  say({ kind: 'warm', at: Date.now() })
})
const delay = monitorEventLoopDelay({ resolution: 1 })
const idle = job.watchesLoop ? new IdleLoop() : undefined
const startedAt = performance.now()
const worker = await program.app.start({ web: false })
const startMs = performance.now() - startedAt
say({ kind: 'ready' })

process.on('message', (question: Question) => void answer(question))
// Also when the parent was killed: nobody else would end this process.
process.once('disconnect', () => process.exit())

async function answer(question: Question): Promise<void> {
  switch (question) {
    case 'watch':
      // From here on: what the start of a process costs is not what a loop holds.
      delay.enable()
      idle?.watch()
      return say({ kind: 'watching' })
    case 'figures':
      return say({ kind: 'figures', figures: await figures() })
    case 'check':
      return say({ kind: 'check', problems: await tableProblems() })
    case 'stop':
      await worker.stop()
      process.disconnect()
  }
}

function say(answer: Answer): void {
  process.send?.(answer)
}

async function figures(): Promise<Record<string, number>> {
  const { counters } = worker.status()
  return {
    cpuMicros: cpuMicros() - cpuWhenWarm,
    cpuMicrosSinceFirst: cpuMicros() - cpuWhenFirst,
    rssMbPeak: peakMb(),
    rssMbAtTenth,
    rssMb: rssMb(),
    heapLiveMb: heapLiveMb(),
    restored: counters.restoredRecords,
    commits: counters.commits,
    startMs,
    ...(idle && {
      holdMsMax: heldMs(delay.max),
      holdMsP99: heldMs(delay.percentile(99)),
      idleHoldMsMax: await idle.holdMsMax()
    })
  }
}

/** Of all threads of the process. */
function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** What the heap holds when all garbage is gone. */
function heapLiveMb(): number {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') collect()
  return process.memoryUsage().heapUsed / 1e6
}

function rssMb(): number {
  return process.memoryUsage.rss() / 1e6
}

function peakMb(): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return (Number(line?.[1] ?? Number.NaN) * 1_024) / 1e6
}

/** Compares every row that cannot have expired with the fold of the input. */
function tableProblems(): Promise<string[]> {
  const { keptFrom } = job
  return problemsOf(program, countByMinute(job, keptFrom), keptFrom)
}
