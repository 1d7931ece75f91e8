// The codec suite: what every codec owes the log that keeps its bytes for years.

import assert from 'node:assert/strict'
import type { Codec } from '../core/codec.ts'
import type { Case, Skip } from './suite.ts'
import { registerSuite } from './suite.ts'

/** A codec, and what to try it with. */
export interface CodecConformance<T> {
  /** Printed before each case. */
  readonly name: string
  /** The codec that is tried. */
  readonly codec: Codec<T>
  /** Values of every kind it can write. */
  readonly values: readonly T[]
  /** Bytes it must refuse to read. */
  readonly unreadable?: readonly Uint8Array[]
  /** Values it must refuse to write. */
  readonly unwritable?: readonly T[]
  /** Cases that cannot hold, each with its reason. */
  readonly skip?: readonly Skip[]
}

/**
 * Registers the suite with `node:test`: one test for each promise of `Codec`.
 *
 * @example
 * import { json } from 'tailrace'
 * import { codecConformance } from 'tailrace/testing/conformance'
 * codecConformance({ name: 'json', codec: json, values: [1, 'two', { three: [null] }] })
 */
export function codecConformance<T>(conformance: CodecConformance<T>): void {
  registerSuite<CodecConformance<unknown>>({
    name: conformance.name,
    cases: codecCases,
    skip: conformance.skip ?? [],
    open: async () => ({ ...conformance, dispose: async () => undefined })
  })
}

const codecCases: readonly Case<CodecConformance<unknown>>[] = [
  {
    title: 'has a name, and values to be tried with',
    async run({ codec, values }) {
      assert.ok(codec.name.length > 0)
      assert.ok(values.length > 0)
    }
  },
  {
    title: 'reads back what it wrote',
    async run({ codec, values }) {
      for (const value of values) {
        const bytes = codec.encode(value)
        assert.ok(bytes instanceof Uint8Array)
        assert.deepEqual(codec.decode(bytes), value)
      }
    }
  },
  {
    title: 'writes the same bytes for the same value, and leaves the value as it is',
    async run({ codec, values }) {
      for (const value of values) {
        const before = structuredClone(value)
        const first = Buffer.from(codec.encode(value))
        assert.deepEqual(Buffer.from(codec.encode(value)), first)
        assert.deepEqual(Buffer.from(codec.encode(before)), first)
        assert.deepEqual(value, before)
      }
    }
  },
  {
    title: 'writes what it read to the same bytes',
    async run({ codec, values }) {
      for (const value of values) {
        const bytes = Buffer.from(codec.encode(value))
        assert.deepEqual(Buffer.from(codec.encode(codec.decode(bytes))), bytes)
      }
    }
  },
  {
    title: 'reads from the middle of a buffer, and from plain bytes',
    async run({ codec, values }) {
      for (const value of values) {
        const bytes = codec.encode(value)
        const around = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('behind')])
        assert.deepEqual(codec.decode(around.subarray(6, 6 + bytes.length)), value)
        assert.deepEqual(codec.decode(Uint8Array.from(bytes)), value)
      }
    }
  },
  {
    title: 'keeps no reference to the bytes it read, and does not change them',
    async run({ codec, values }) {
      for (const value of values) {
        const bytes = Buffer.from(codec.encode(value))
        const before = Buffer.from(bytes)
        const decoded = codec.decode(bytes)
        assert.deepEqual(bytes, before)
        bytes.fill(0xaa)
        assert.deepEqual(decoded, value)
      }
    }
  },
  {
    title: 'refuses bytes that are not its own',
    async run({ codec, unreadable = [] }) {
      for (const bytes of unreadable) {
        assert.throws(() => codec.decode(bytes), `it read ${Buffer.from(bytes).toString('hex')}`)
      }
    }
  },
  {
    title: 'refuses values that it cannot write',
    async run({ codec, unwritable = [] }) {
      for (const value of unwritable) {
        assert.throws(() => codec.encode(value), `it wrote ${String(value)}`)
      }
    }
  }
]
