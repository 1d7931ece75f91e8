// An error as a person at a terminal reads it: code, message, hint, cause; no stack of ours.
import { TailraceError } from '../core/errors.ts'

// The user's own lines are what helps; ours and Node's stand in the log.
const ownSources = new URL('..', import.meta.url).href

/** Lines for an error that ends a process. */
export function errorText(error: unknown): string {
  if (!isOurs(error)) return stackOf(error)
  const lines = [error.message, `  hint: ${error.hint}`]
  if (error.cause !== undefined) lines.push(`  cause: ${indented(causeOf(error.cause))}`)
  return lines.join('\n')
}

/** For `--json`: the same as data. */
export function errorData(error: unknown): Readonly<Record<string, unknown>> {
  if (!isOurs(error)) return { message: error instanceof Error ? error.message : String(error) }
  const { code, context, hint, message } = error
  return { code, message, hint, context }
}

/** True for our errors; another copy of this package has another class, and the same fields. */
export function isOurs(error: unknown): error is TailraceError {
  if (error instanceof TailraceError) return true
  return error instanceof Error && error.name === 'TailraceError' && 'code' in error
}

// A cause of ours says all in its text; a user's own error is found by its stack.
function causeOf(cause: unknown): string {
  return isOurs(cause) ? errorText(cause) : stackOf(cause)
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = (error.stack ?? `${error.name}: ${error.message}`)
    .split('\n')
    .filter((line) => !/^\s+at (?:.*\()?node:/.test(line) && !line.includes(ownSources))
  const cause = error.cause === undefined ? [] : [`  cause: ${indented(causeOf(error.cause))}`]
  return [...own, ...cause].join('\n')
}

function indented(text: string): string {
  return text.replaceAll('\n', '\n  ')
}
