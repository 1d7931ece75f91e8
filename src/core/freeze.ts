// Frozen values: what agents share and tables keep cannot be changed in place.
import { TailraceError } from './errors.ts'

type Primitive = string | number | bigint | boolean | symbol | null | undefined
// Kept as bytes and decoded anew for each reader, so a change reaches nobody else.
type Unfreezable = Date | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | ArrayBufferView

/**
 * A value that cannot be changed in place, at any depth. Dates, maps, sets and bytes stay as they
 * are: each reader gets its own.
 */
export type DeepReadonly<T> = T extends Primitive | Unfreezable | ((...args: never) => unknown)
  ? T
  : T extends object
    ? { readonly [P in keyof T]: DeepReadonly<T[P]> }
    : T

/** Levels of nesting a value may have. */
export const depthMax = 1_000

/**
 * Freezes a value at every depth. False when it holds something that cannot be frozen or that
 * is more than plain data (a Date, a Map, bytes, a class instance): such a value is kept as bytes.
 *
 * @throws TAILRACE_SCHEMA_TOO_DEEP beyond 1,000 levels, which every cycle reaches
 */
export function freezeDeep(value: unknown): boolean {
  return typeof value !== 'object' || value === null ? isPlainScalar(value) : freezeAt(value, 0)
}

function isPlainScalar(value: unknown): boolean {
  return typeof value !== 'bigint' && typeof value !== 'symbol' && typeof value !== 'function'
}

function freezeAt(value: object, depth: number): boolean {
  if (depth > depthMax) {
    throw new TailraceError(
      'TAILRACE_SCHEMA_TOO_DEEP',
      `a value is nested deeper than ${depthMax} levels, or refers to itself`,
      { isDefinite: true }
    )
  }
  let isPlain = true
  if (Array.isArray(value)) {
    for (const item of value) if (!freezeChild(item, depth)) isPlain = false
  } else {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) return false
    const object = value as Readonly<Record<string, unknown>>
    for (const name in object) {
      const child = object[name]
      // Most are, and need no further look.
      if (typeof child === 'string' || typeof child === 'number') continue
      if (!freezeChild(child, depth)) isPlain = false
    }
  }
  Object.freeze(value)
  return isPlain
}

function freezeChild(child: unknown, depth: number): boolean {
  if (typeof child === 'object' && child !== null) return freezeAt(child, depth + 1)
  return isPlainScalar(child)
}

/** Structural equality of data: what a codec wrote, read back. */
export function isEqualData(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime())
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) return isEqualBytes(a, b)
  if (a instanceof Map && b instanceof Map) return isEqualData([...a], [...b])
  if (a instanceof Set && b instanceof Set) return isEqualData([...a], [...b])
  const left = definedEntries(a)
  const right = new Map(definedEntries(b))
  return (
    left.length === right.size &&
    left.every(([name, value]) => right.has(name) && isEqualData(value, right.get(name)))
  )
}

// A property that is undefined and one that is absent are the same data to every codec.
function definedEntries(value: object): (readonly [string, unknown])[] {
  return Object.entries(value).filter((entry) => entry[1] !== undefined)
}

function isEqualBytes(a: ArrayBufferView, b: ArrayBufferView): boolean {
  if (a.byteLength !== b.byteLength) return false
  const left = Buffer.from(a.buffer, a.byteOffset, a.byteLength)
  return left.equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength))
}
