// Options by name: unknown ones, wrong ones and missing ones are told together.
import { nearest, type Problem, refuseAll } from './problems.ts'

export interface Shape {
  readonly expected: string
  readonly fits: (value: unknown) => boolean
  readonly isNeeded?: true
}

/** A shape for each name: the compiler sees to it that none is forgotten. */
export type Shapes<Options> = { readonly [Name in keyof Required<Options>]: Shape }

/**
 * Checks what a declaration was given, for those who write without types.
 *
 * @throws TAILRACE_CONFIG_INVALID with every problem: name, value, what was expected
 */
export function checkOptions(
  what: string,
  given: unknown,
  shapes: Readonly<Record<string, Shape>>
): void {
  if (typeof given !== 'object' || given === null) {
    refuseAll('TAILRACE_CONFIG_INVALID', what, [
      { path: 'options', message: `are ${shown(given)}; expected an object` }
    ])
    return
  }
  const names = Object.keys(shapes)
  const missing = names.filter(
    (name) => shapes[name]?.isNeeded && valueIn(given, name) === undefined
  )
  refuseAll('TAILRACE_CONFIG_INVALID', what, [
    ...Object.entries(given).flatMap(([name, value]) => problemOf(name, value, shapes)),
    ...missing.map((name) => ({
      path: name,
      message: `is missing; expected ${shapes[name]?.expected}`
    }))
  ])
}

/** @throws TAILRACE_CONFIG_INVALID when the last argument of a declaration is no function */
export function checkFunction(what: string, given: unknown): void {
  if (typeof given === 'function') return
  refuseAll('TAILRACE_CONFIG_INVALID', what, [
    { path: 'last argument', message: `is ${shown(given)}; expected the function that it runs` }
  ])
}

function problemOf(
  name: string,
  value: unknown,
  shapes: Readonly<Record<string, Shape>>
): Problem[] {
  if (value === undefined) return []
  const shape = Object.hasOwn(shapes, name) ? shapes[name] : undefined
  if (shape === undefined) {
    const near = nearest(name, Object.keys(shapes))
    const what = isSecret(name) ? '(not shown)' : shown(value)
    const message = `is ${what}, and there is no such option`
    return [{ path: name, message, ...(near !== undefined && { fix: `Did you mean ${near}?` }) }]
  }
  if (shape.fits(value)) return []
  return [{ path: name, message: `is ${shown(value)}; expected ${shape.expected}` }]
}

function valueIn(given: object, name: string): unknown {
  return Object.entries(given).find(([one]) => one === name)?.[1]
}

export function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isSecret(name: string): boolean {
  return /password|passwd|secret|token|credential/i.test(name)
}

function shown(value: unknown): string {
  if (value === undefined) return 'not there'
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return 'an object'
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value)
}
