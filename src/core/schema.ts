// Schemas: any Standard Schema describes a key or a value; a codec turns it into bytes and back.
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { ByteWriter } from './byte-writer.ts'
import { type Codec, type ReadAt, reader, writerOf, writesAfresh } from './codec.ts'
import { messageOf, TailraceError } from './errors.ts'

/**
 * Any schema that speaks Standard Schema v1: zod, valibot, arktype and others. `Input` is what may
 * be given to it, `Output` what comes out.
 *
 * @see https://standardschema.dev
 */
export type Schema<Input = unknown, Output = unknown> = StandardSchemaV1<Input, Output>

/** What may be given to the schema: the type that `send` takes. */
export type InputOf<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferInput<S> : never

/** What comes out of the schema: the type that events and tables carry. */
export type OutputOf<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<S> : never

/** How one side of a record, its key or its value, becomes bytes and comes back. */
export interface Slot {
  readonly schema: Schema | undefined
  readonly codec: Codec
}

/** True for anything that must be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}

/**
 * The validated value, or a promise of it where the schema validates asynchronously.
 *
 * @throws TAILRACE_SCHEMA_INVALID, TAILRACE_SCHEMA_NULL
 */
export function validate(slot: Slot, value: unknown, where: string): unknown {
  if (slot.schema === undefined) return value
  const result = validated(slot.schema, value, where)
  return isThenable(result) ? settled(result, value, where) : accepted(result, value, where)
}

// Apart from what needs no waiting: closures there would cost each record their memory.
function settled(
  result: PromiseLike<StandardSchemaV1.Result<unknown>>,
  value: unknown,
  where: string
): PromiseLike<unknown> {
  return result.then(
    (found) => accepted(found, value, where),
    (error: unknown) => {
      throw schemaThrew(error, where)
    }
  )
}

type Validation = ReturnType<Schema['~standard']['validate']>

// Also a value nested so deep that the schema runs out of stack comes out here.
function validated(schema: Schema, value: unknown, where: string): Validation {
  try {
    return schema['~standard'].validate(value)
  } catch (error) {
    throw schemaThrew(error, where)
  }
}

function schemaThrew(error: unknown, where: string): TailraceError {
  return new TailraceError(
    'TAILRACE_SCHEMA_INVALID',
    `the schema of ${where} threw instead of answering: ${messageOf(error)}`,
    { cause: error }
  )
}

/**
 * The validated value, at once.
 *
 * @throws TAILRACE_SCHEMA_ASYNC besides those of `validate`
 */
export function validateNow(slot: Slot, value: unknown, where: string): unknown {
  const result = validate(slot, value, where)
  if (!isThenable(result)) return result
  result.then(undefined, () => undefined)
  throw new TailraceError(
    'TAILRACE_SCHEMA_ASYNC',
    `the schema of ${where} validates asynchronously, and its answer is needed at once`
  )
}

function accepted(
  result: StandardSchemaV1.Result<unknown>,
  given: unknown,
  where: string
): unknown {
  if (result.issues === undefined) return result.value
  if (given === null) {
    throw new TailraceError(
      'TAILRACE_SCHEMA_NULL',
      `${where} is null, and its schema does not accept null`
    )
  }
  const problems = result.issues.slice(0, 5).map((issue) => `${pathOf(issue)}${issue.message}`)
  const more = result.issues.length > 5 ? ` and ${result.issues.length - 5} more` : ''
  throw new TailraceError(
    'TAILRACE_SCHEMA_INVALID',
    `${where} does not fit its schema: ${problems.join('; ')}${more}`
  )
}

function pathOf(issue: StandardSchemaV1.Issue): string {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part))
  return path.length === 0 ? '' : `${path.join('.')}: `
}

/**
 * Bytes of a key or value, which may be kept; null stays null, which is Kafka's tombstone.
 *
 * @throws TAILRACE_SCHEMA_ENCODE
 */
export function encode(slot: Slot, value: unknown, where: string): Uint8Array | null {
  if (value === null || value === undefined) return null
  try {
    const { codec } = slot
    const bytes: unknown = codec.encode(value)
    if (bytes instanceof Uint8Array) return writesAfresh(codec) ? bytes : Buffer.from(bytes)
    throw new TypeError(`its encode answered with ${typeof bytes}, and not with bytes`)
  } catch (error) {
    return refuseValue(slot, where, error)
  }
}

/**
 * As `encode`, into bytes that are being written.
 *
 * @throws TAILRACE_SCHEMA_ENCODE
 */
export function encodeInto(writer: ByteWriter, slot: Slot, value: unknown, where: string): void {
  const write = writerOf(slot.codec)
  if (write === undefined) {
    const bytes = encode(slot, value, where)
    if (bytes !== null) writer.bytes(bytes)
    return
  }
  try {
    write(writer, value)
  } catch (error) {
    refuseValue(slot, where, error)
  }
}

function refuseValue({ codec }: Slot, where: string, error: unknown): never {
  if (error instanceof TailraceError) throw error.within(where)
  throw new TailraceError(
    'TAILRACE_SCHEMA_ENCODE',
    `${where} cannot be written by the codec "${codec.name}"`,
    { cause: error, isDefinite: true }
  )
}

/**
 * What the codec reads from bytes, not yet validated; null bytes are null.
 *
 * @throws TAILRACE_SCHEMA_DECODE, TAILRACE_SCHEMA_UNSAFE_KEY
 */
export function decode(slot: Slot, bytes: Uint8Array | null, where: string): unknown {
  if (bytes === null) return null
  try {
    return slot.codec.decode(bytes)
  } catch (error) {
    return refuseBytes(slot, where, error)
  }
}

/**
 * As `decode`, record after record, of bytes that stand in a larger buffer; null where `start` is
 * negative.
 *
 * The function throws TAILRACE_SCHEMA_DECODE, TAILRACE_SCHEMA_UNSAFE_KEY.
 */
export function readerOf(slot: Slot, where: string): ReadAt {
  const read = reader(slot.codec)
  return (bytes, start, end, texts) => {
    if (start < 0) return null
    try {
      return read(bytes, start, end, texts)
    } catch (error) {
      return refuseBytes(slot, where, error)
    }
  }
}

function refuseBytes({ codec }: Slot, where: string, error: unknown): never {
  if (error instanceof TailraceError) throw error.within(where)
  throw new TailraceError(
    'TAILRACE_SCHEMA_DECODE',
    `${where} is not what the codec "${codec.name}" reads: ` + messageOf(error),
    { cause: error }
  )
}
