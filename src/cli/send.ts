// `tailrace send`: one record from the shell to a topic or an agent.
import { inputTopicOf } from '../core/agent.ts'
import type { Declarations, TopicDeclaration } from '../core/declarations.ts'
import { TailraceError } from '../core/errors.ts'
import { nearest, type Problem, refuseAll } from '../core/problems.ts'
import { encode, type Slot, validate } from '../core/schema.ts'
import type { CommandContext } from './context.ts'

export interface SendArguments {
  /** A topic of the app, or `@agent`. */
  readonly topic: string
  readonly value: string
  readonly key: string | undefined
  readonly partition: string | undefined
  readonly timestamp: string | undefined
}

export async function send(
  { app, isJson, print }: CommandContext,
  given: SendArguments
): Promise<void> {
  const { runner } = app
  const topic = topicOf(runner.declarations(), given.topic)
  const { partition, timestamp } = placeOf(given)
  const [text, parsed] = [given.value, parse(given.value)]
  const values = parsed === undefined ? [text] : [parsed.value, text]
  const where = `a record for "${topic.name}"`
  const record = {
    key: await firstFitting(topic.key, keysOf(given.key), `the key of ${where}`),
    value: await firstFitting(topic.value, values, `the value of ${where}`).catch((error) => {
      throw parsed === undefined ? takenAsText(error, text) : error
    }),
    ...(partition === undefined ? {} : { partition }),
    ...(timestamp === undefined ? {} : { timestamp })
  }
  const sent = await runner.send(topic, record)
  await runner.close()
  const place = { ...sent, offset: Number(sent.offset) }
  print(
    isJson
      ? JSON.stringify(place)
      : `sent to ${sent.topic}, partition ${sent.partition}, offset ${sent.offset}`
  )
}

function topicOf(declarations: Declarations, named: string): TopicDeclaration {
  if (named.startsWith('@')) return agentTopic(declarations, named.slice(1))
  const known = declarations.topics.filter((topic) => topic.role !== 'repartition')
  const topic = known.find((one) => one.name === named)
  if (topic !== undefined) return topic
  const names = [...known.map((one) => one.name), ...agentNames(declarations)]
  return unknown(`app "${declarations.id}" declares no topic "${named}"`, named, names)
}

function agentTopic(declarations: Declarations, name: string): TopicDeclaration {
  const agent = declarations.agents.find((one) => one.name === name)
  if (agent === undefined) {
    const message = `app "${declarations.id}" has no agent "${name}"`
    return unknown(message, `@${name}`, agentNames(declarations))
  }
  const topic = inputTopicOf(agent)
  if (topic !== undefined) return topic
  throw new TailraceError(
    'TAILRACE_CONFIG_INVALID',
    `agent "${name}" reads a derived stream, which has no topic of its own to send to`,
    { hint: 'Send to the topic that the stream begins at: `tailrace agents` shows it.' }
  )
}

/** Agents that can be sent to: a derived stream has no topic of its own. */
function agentNames({ agents }: Declarations): readonly string[] {
  return agents
    .filter((agent) => inputTopicOf(agent) !== undefined)
    .map((agent) => `@${agent.name}`)
}

function unknown(message: string, named: string, names: readonly string[]): never {
  const near = nearest(named, names)
  const guess = near === undefined ? '' : `; did you mean "${near}"?`
  const hint = names.length === 0 ? 'There is none.' : `There are ${names.join(', ')}.`
  throw new TailraceError('TAILRACE_CONFIG_INVALID', message + guess, { hint })
}

function placeOf(given: SendArguments): { partition?: number; timestamp?: number } {
  const problems: Problem[] = []
  const partition = given.partition === undefined ? undefined : Number(given.partition)
  if (partition !== undefined && !(Number.isInteger(partition) && partition >= 0)) {
    const message = `is "${given.partition}"; expected a whole number from 0`
    problems.push({ path: '--partition', message })
  }
  const timestamp = given.timestamp === undefined ? undefined : timeOf(given.timestamp)
  if (Number.isNaN(timestamp)) {
    const message = `is "${given.timestamp}"; expected ms since 1970 or a date as 2026-01-31T12:00Z`
    problems.push({ path: '--timestamp', message })
  }
  refuseAll('TAILRACE_CONFIG_INVALID', 'the command', problems)
  return {
    ...(partition === undefined ? {} : { partition }),
    ...(timestamp === undefined ? {} : { timestamp })
  }
}

function timeOf(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Date.parse(text)
}

// Keys are text as a rule: `-k 42` is JSON only where the topic refuses the text.
function keysOf(key: string | undefined): readonly unknown[] {
  if (key === undefined) return [null]
  const parsed = parse(key)
  return parsed === undefined ? [key] : [key, parsed.value]
}

/** What looks like JSON and is none was meant to be some: the shell took its quotes, as a rule. */
function takenAsText(error: unknown, text: string): unknown {
  if (!(error instanceof TailraceError) || !/^[[{"]/.test(text)) return error
  const { cause, code, context, sentence } = error
  const hint =
    'It is no JSON and was taken as text: look at its quotes, and put it into single ones.'
  return new TailraceError(code, sentence, { cause, context, hint })
}

function parse(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

/** The first reading of a text that the topic takes; what is wrong with the first if none is. */
async function firstFitting(
  slot: Slot,
  readings: readonly unknown[],
  where: string
): Promise<unknown> {
  const errors: unknown[] = []
  for (const reading of readings) {
    try {
      await validate(slot, reading, where)
      encode(slot, reading, where)
      return reading
    } catch (error) {
      errors.push(error)
    }
  }
  throw errors[0]
}
