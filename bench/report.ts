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

/** The form of the design, §13; peers are measured by their own harness. */
export function lastLine({ workload, broker, guarantee, runs }: Row): string {
  const ours = spreads(runs)
  return JSON.stringify({
    workload,
    broker,
    guarantee,
    runs: runs.length,
    ours,
    peers: {},
    ratios: {}
  })
}

/** One row for a reader. */
export function rowText({ workload, variant, broker, guarantee, runs }: Row): string {
  const figures = Object.entries(spreads(runs)).map(
    ([name, { median, min, max }]) =>
      `  ${name.padEnd(20)} ${show(median).padStart(10)}   [${show(min)} - ${show(max)}]`
  )
  const head = `${workload} ${variant}, ${broker}, ${guarantee}, median of ${runs.length}`
  return [head, ...figures].join('\n')
}

function show(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 2 })
}

function round(value: number | undefined): number {
  return Number((value ?? Number.NaN).toPrecision(6))
}
