// What a measurement says: medians with their spread, and the last line that programs read.

/** One run: numbers by name. */
export type Figures = Readonly<Record<string, number>>

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export interface Row {
  readonly workload: string
  /** How this row differs from the other rows of its workload. */
  readonly variant: string
  readonly broker: string
  readonly guarantee: string
  readonly runs: readonly Figures[]
  /** What the last line begins with, where one figure is the point of it all. */
  readonly first?: Readonly<Record<string, unknown>>
  /** The runs of each peer, on the same topics in the same minutes. */
  readonly peers?: Readonly<Record<string, readonly Figures[]>>
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  const lower = sorted[(sorted.length - 1) >> 1] ?? Number.NaN
  return { median: round((upper + lower) / 2), min: round(sorted[0]), max: round(sorted.at(-1)) }
}

export function spreads(runs: readonly Figures[]): Record<string, Spread> {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run)))]
  const valuesOf = (name: string): number[] => runs.flatMap((run) => run[name] ?? [])
  return Object.fromEntries(names.map((name) => [name, spreadOf(valuesOf(name))]))
}

/** The form of the design, §13. */
export function lastLine({ workload, broker, first, guarantee, runs, peers = {} }: Row): string {
  const ours = spreads(runs)
  const beside = Object.entries(peers).map(([name, theirs]) => [name, spreads(theirs)] as const)
  return JSON.stringify({
    ...first,
    workload,
    broker,
    guarantee,
    runs: Math.max(runs.length, ...Object.values(peers).map((theirs) => theirs.length)),
    ours,
    peers: Object.fromEntries(beside),
    ratios: Object.fromEntries(beside.map(([name, theirs]) => [name, ratios(ours, theirs)]))
  })
}

type Spreads = Readonly<Record<string, Spread>>

/** Ours by theirs, of the medians of what both have. */
function ratios(ours: Spreads, theirs: Spreads): Record<string, number> {
  const all = Object.entries(ours).flatMap(([name, { median }]) => {
    const ratio = median / (theirs[name]?.median ?? Number.NaN)
    return Number.isFinite(ratio) ? [[name, round(ratio)] as const] : []
  })
  return Object.fromEntries(all)
}

/** One row for a reader. */
export function rowText({ workload, variant, broker, guarantee, runs, peers = {} }: Row): string {
  const head = `${workload} ${variant}, ${broker}, ${guarantee}, median of ${runs.length}`
  const beside = Object.entries(peers).flatMap(([name, theirs]) => [
    `beside it ${name}, median of ${theirs.length}`,
    ...figureLines(theirs)
  ])
  return [head, ...figureLines(runs), ...beside].join('\n')
}

function figureLines(runs: readonly Figures[]): string[] {
  return Object.entries(spreads(runs)).map(
    ([name, { median, min, max }]) =>
      `  ${name.padEnd(20)} ${show(median).padStart(10)}   [${show(min)} - ${show(max)}]`
  )
}

function show(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 2 })
}

function round(value: number | undefined): number {
  return Number((value ?? Number.NaN).toPrecision(6))
}
