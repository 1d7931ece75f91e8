// Reads JSON objects that look like one that was parsed before: the same names in the same order
// and spelling, each with text, a number, true, false or null. A topic holds little else, and half
// of what an event costs is `JSON.parse` finding that out again. What looks otherwise in any byte
// is not read here.
import { JsonScalarReader } from './json-scalar.ts'
import type { RecordTexts } from './text-slice.ts'

const namesMax = 64
const wordBytes = 4

/** The object that begins at `at`, if it ends at `end` and has this shape. */
type Reading = (
  view: DataView,
  at: number,
  end: number,
  scalars: JsonScalarReader
) => object | undefined

export class JsonShape {
  readonly #reading: Reading
  readonly #scalars = new JsonScalarReader()

  private constructor(reading: Reading) {
    this.#reading = reading
  }

  /** The shape of a JSON text that was read as `value`; undefined where it is none of ours. */
  static of(text: string, value: unknown): JsonShape | undefined {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    const names = Object.keys(value)
    if (names.length === 0 || names.length > namesMax) return undefined
    const runs = runsOf(text, names)
    const reading = runs && readingOf(names, runs)
    return reading && new JsonShape(reading)
  }

  /** What `JSON.parse` would answer; undefined where only that can tell. */
  read(bytes: Buffer, start: number, end: number, texts: RecordTexts): object | undefined {
    const scalars = this.#scalars
    scalars.open(bytes, texts)
    return this.#reading(scalars.view, start, end, scalars)
  }
}

// A function of its own for each shape: what stands between the values is compared as numbers that
// are part of it, and the object is made in one step. A loop over names takes twice as long.
function readingOf(names: readonly string[], runs: readonly Buffer[]): Reading | undefined {
  if (names.some((name) => name === '__proto__' || name === 'constructor')) return undefined
  // One more run than there are values: the last stands behind all of them.
  const steps = runs.flatMap((run, index) => [
    ...passing(run),
    ...(index < names.length ? taking(index) : [])
  ])
  const fields = names.map((name, index) => `${JSON.stringify(name)}: value${index}`)
  const code = [...steps, `return at === end ? { ${fields.join(', ')} } : undefined`]
  try {
    // Nothing of it is from outside but the names, and those are quoted.
    // oxlint-disable-next-line typescript/no-implied-eval
    return new Function('view', 'at', 'end', 'scalars', code.join('\n')) as never
  } catch {
    // This process forbids code made of text (--disallow-code-generation-from-strings).
    return undefined
  }
}

function taking(index: number): readonly string[] {
  return [
    'if (at >= end) return undefined',
    'at = scalars.read(at, end)',
    'if (at < 0) return undefined',
    `const value${index} = scalars.value`
  ]
}

// Goes past bytes that must be these: compared four at a time as far as they go.
function passing(run: Buffer): readonly string[] {
  const words = Math.floor(run.length / wordBytes)
  const differs = Array.from({ length: words }, (_, index) => {
    const offset = index * wordBytes
    return `view.getInt32(at + ${offset}) !== ${run.readInt32BE(offset)}`
  })
  for (let offset = words * wordBytes; offset < run.length; offset++) {
    differs.push(`view.getUint8(at + ${offset}) !== ${run[offset]}`)
  }
  return [
    `if (at + ${run.length} > end || ${differs.join(' || ')}) return undefined`,
    `at += ${run.length}`
  ]
}

// The bytes between the values of a text, which may have blanks anywhere.
function runsOf(text: string, names: readonly string[]): readonly Buffer[] | undefined {
  const runs: Buffer[] = []
  let at = 0
  for (const [index, name] of names.entries()) {
    const from = at
    at = afterMark(text, at, index === 0 ? '{' : ',')
    at = afterMark(text, at, JSON.stringify(name))
    at = afterBlanks(text, afterMark(text, at, ':'))
    if (at < 0) return undefined
    runs.push(Buffer.from(text.slice(from, at)))
    at = afterValue(text, at)
  }
  const end = afterMark(text, at, '}')
  if (end < 0 || afterBlanks(text, end) !== text.length) return undefined
  runs.push(Buffer.from(text.slice(at)))
  return runs
}

function afterMark(text: string, at: number, mark: string): number {
  const from = afterBlanks(text, at)
  return from >= 0 && text.startsWith(mark, from) ? from + mark.length : -1
}

function afterBlanks(text: string, at: number): number {
  let to = at
  while (to >= 0 && to < text.length && ' \t\r\n'.includes(text.charAt(to))) to++
  return to
}

const scalarForm = /"[^"\\]*"|[-+.\w]+/y

function afterValue(text: string, at: number): number {
  scalarForm.lastIndex = at
  return scalarForm.test(text) ? scalarForm.lastIndex : -1
}
