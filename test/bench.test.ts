// The bench programs start, check their own results, and end in the line that programs read. What
// they measure is nobody's business here.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../bench/main.ts', import.meta.url))
const timeout = 180_000

interface Ended {
  readonly code: number | null
  readonly lines: readonly string[]
  readonly errors: string
}

async function bench(args: readonly string[], signal: AbortSignal): Promise<Ended> {
  const child = spawn(process.execPath, ['--conditions=tailrace-source', main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    killSignal: 'SIGKILL'
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('exit', resolve)
    child.on('error', reject)
  })
  try {
    const [output, errors, code] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      ended
    ])
    return { code, lines: output.trimEnd().split('\n'), errors }
  } finally {
    child.kill('SIGKILL')
  }
}

type Figure = Readonly<Record<'median' | 'min' | 'max', number>>
type LastLine = Readonly<Record<string, unknown>> & { readonly ours: Record<string, Figure> }

function lastLineOf({ code, errors, lines }: Ended): LastLine {
  assert.equal(code, 0, errors)
  return JSON.parse(lines.at(-1) ?? '')
}

function assertFigures({ ours }: LastLine, names: readonly string[]): void {
  for (const name of names) {
    const figure = ours[name]
    assert.ok(figure !== undefined, `${name} is not among ${Object.keys(ours).join(', ')}`)
    const { max, median, min } = figure
    assert.ok(median > 0 && min <= median && median <= max, `${name}: ${JSON.stringify(figure)}`)
  }
}

const runs = 1
const broker = 'embedded'
const guarantee = 'exactly-once'
const small = ['--runs', String(runs), '--events', '2000', '--json']
const throughput = ['eventsPerSecond', 'coldEventsPerSecond', 'cpuMicrosPerEvent', 'rssMbPeak']

test('W1 prints what it measured on the embedded log', { timeout }, async ({ signal }) => {
  const only = ['--only', 'loop, commit 1s']
  const last = lastLineOf(await bench(['W1', '--broker', broker, ...small, ...only], signal))
  assert.deepEqual({ ...last, ours: {} }, expected('W1', guarantee))
  assertFigures(last, throughput)
})

test('W2 prints what it measured', { timeout }, async ({ signal }) => {
  const last = lastLineOf(await bench(['W2', ...small, '--only', 'handler'], signal))
  assert.deepEqual({ ...last, ours: {} }, expected('W2', guarantee))
  assertFigures(last, throughput)
})

test('W6 prints latencies and the longest hold of the loop', { timeout }, async ({ signal }) => {
  const last = lastLineOf(await bench(['W6', ...small, '--only', '10ms'], signal))
  assert.deepEqual({ ...last, ours: {} }, expected('W6', guarantee))
  assertFigures(last, ['p50Ms', 'p99Ms', 'maxMs', 'holdMsMax', 'idleHoldMsMax', 'rssMbPeak'])
})

test('micro prints a row for each part', { timeout }, async ({ signal }) => {
  const ended = await bench(['micro', ...small, '--only', 'loop'], signal)
  assertFigures(lastLineOf(ended), ['nsPerEvent'])
  assert.ok(ended.lines.length >= 2)
})

test('each prints how many times one at a time it is', { timeout }, async ({ signal }) => {
  const last = lastLineOf(await bench(['each', '--runs', '1', '--events', '20'], signal))
  assert.deepEqual({ ...last, ours: {} }, expected('each', guarantee))
  assertFigures(last, ['eventsPerSecond', 'eventsPerSecondOneAtATime', 'timesOneAtATime'])
})

test('swarm prints what more nodes bring', { timeout }, async ({ signal }) => {
  const last = lastLineOf(await bench(['swarm', '--runs', '1', '--events', '300'], signal))
  const speedup = last['speedup'] as Readonly<Record<string, number>>
  assert.deepEqual(Object.keys(speedup), ['2', '3'])
  assert.deepEqual({ ...last, ours: {} }, { speedup, ...expected('swarm', guarantee) })
  const figures = ['speedup_2', 'readyMs_3', 'takeoverMs_2', 'eachTimesOneAtATime']
  assertFigures(last, process.platform === 'linux' ? [...figures, 'pssMb_2'] : figures)
})

test('an unknown workload is told what there is', { timeout }, async ({ signal }) => {
  const { code, errors } = await bench(['W9'], signal)
  assert.equal(code, 1)
  assert.match(errors, /npm run bench -- <workload>/)
})

function expected(workload: string, guarantee: string): object {
  return { workload, broker, guarantee, runs, ours: {}, peers: {}, ratios: {} }
}
