// What declarations may be told: every option by its name, and what it takes.
import type { TableOptions, TopicOptions } from './declare-options.ts'
import { isText, type Shape, type Shapes } from './option-check.ts'
import type { GroupOptions } from './stream.ts'

const isFunction = (value: unknown): boolean => typeof value === 'function'
const has = (value: unknown, ...names: readonly string[]): boolean =>
  ((typeof value === 'object' && value !== null) || isFunction(value)) &&
  names.every((name) => name in Object(value))

const schema: Shape = {
  expected: 'a Standard Schema, such as one of zod, valibot or arktype',
  fits: (value) => has(value, '~standard')
}
const codec: Shape = {
  expected: 'a codec: name, encode and decode',
  fits: (value) => has(value, 'name', 'encode', 'decode')
}
const partitioner: Shape = {
  expected: 'a partitioner, such as murmur2Partitioner',
  fits: (value) => has(value, 'partition')
}
const count: Shape = {
  expected: 'a whole number from 1',
  fits: (value) => Number.isInteger(value) && Number(value) > 0
}
const flag: Shape = { expected: 'true or false', fits: (value) => typeof value === 'boolean' }
const call: Shape = { expected: 'a function', fits: isFunction }
/** Where it is read says what is wrong with it. */
const anything: Shape = { expected: 'something', fits: () => true }

function oneOf(...choices: readonly string[]): Shape {
  const expected = choices.map((one) => `'${one}'`).join(' or ')
  return { expected, fits: (value) => typeof value === 'string' && choices.includes(value) }
}

export const topicShapes: Shapes<TopicOptions> = {
  key: schema,
  value: schema,
  keyCodec: codec,
  codec,
  partitions: count,
  retention: anything,
  cleanupPolicy: oneOf('delete', 'compact', 'compact,delete'),
  replication: count,
  config: {
    expected: 'texts by the names that the log has for its settings',
    fits: (value) => has(value) && Object.values(Object(value)).every(isText)
  },
  partitioner
}

const { key: _key, ...inboxShapesOnly } = topicShapes
export const inboxShapes: Shapes<Omit<TopicOptions, 'key'>> = inboxShapesOnly

export const tableShapes: Shapes<TableOptions> = {
  key: { ...schema, isNeeded: true },
  value: { ...schema, isNeeded: true },
  initial: { expected: 'a function that returns the value of a new key', fits: isFunction },
  window: { expected: 'tumbling(…) or hopping(…)', fits: (value) => has(value, 'sizeMs') },
  keyCodec: codec,
  codec,
  scope: oneOf('key', 'partition'),
  partitioner,
  onLate: call
}

export const groupShapes: Shapes<GroupOptions<never>> = { partitions: count, key: schema, codec }

export const timerShapes: Shapes<{ every: unknown; onLeader?: unknown; immediate?: unknown }> = {
  every: { ...anything, expected: 'a duration', isNeeded: true },
  onLeader: flag,
  immediate: flag
}

export const taskShapes: Shapes<{ onLeader?: unknown }> = { onLeader: flag }

const part: Shape = {
  expected: 'an object of what app.topic, app.table and app.agent made, by your names',
  fits: (value) => has(value) && Object.values(Object(value)).every((one) => has(one, 'kind'))
}

export const agentShapes: Shapes<{
  source: unknown
  tables?: unknown
  reads?: unknown
  outputs?: unknown
  onError?: unknown
  help?: unknown
}> = {
  source: {
    expected: 'a topic, a stream or an inbox',
    fits: (value) => has(value, 'kind', 'declaration'),
    isNeeded: true
  },
  tables: part,
  reads: part,
  outputs: part,
  onError: {
    expected: 'retry(…), deadLetter(…), skip, stop or a function that returns one',
    fits: (value) => isFunction(value) || has(value, 'kind')
  },
  help: { expected: 'a text', fits: isText }
}

/** Each has its journal and its memory; for more answers to wait for there are more workers. */
const concurrencyMax = 1_024

export const eachShapes: typeof agentShapes &
  Shapes<{ timeout?: unknown; concurrency?: unknown; order?: unknown }> = {
  ...agentShapes,
  timeout: anything,
  concurrency: {
    expected: `a whole number from 1 to ${concurrencyMax}`,
    fits: (value) => count.fits(value) && Number(value) <= concurrencyMax
  },
  order: oneOf('key', 'none')
}
