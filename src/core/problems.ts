// Problems collected and told all at once: what, where, what was expected, the nearest known name.
import { type ErrorCode, TailraceError } from './errors.ts'

export interface Problem {
  /** Where: an option path, or the name of what was declared. */
  readonly path: string
  readonly message: string
  readonly fix?: string
}

/** Throws one error that lists every problem; does nothing when there is none. */
export function refuseAll(code: ErrorCode, what: string, problems: readonly Problem[]): void {
  if (problems.length === 0) return
  const lines = problems.map(
    (problem) =>
      `  ${problem.path}: ${problem.message}` +
      (problem.fix === undefined ? '' : `\n    fix: ${problem.fix}`)
  )
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
  throw new TailraceError(code, `${what} has ${count}\n${lines.join('\n')}`)
}

/** The known name that is most like `name`, if one is near enough to be meant. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const change = a[row - 1] === b[column - 1] ? 0 : 1
      current.push(
        Math.min(
          (previous[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (previous[column - 1] ?? 0) + change
        )
      )
    }
    previous = current
  }
  return previous[b.length] ?? 0
}

/** Kafka's rule for topic names, which also keeps them safe as file names. */
export function nameProblem(name: string): string | undefined {
  if (name === '.' || name === '..') return `"${name}" is not a name`
  if (/^[a-zA-Z0-9._-]{1,200}$/.test(name)) return undefined
  return `${JSON.stringify(name)} must be 1 to 200 characters of a-z, A-Z, 0-9, ".", "_" and "-"`
}
