// From a stream's description to what runs: the topics it begins at, each with its fused steps.
import type { Step, StreamDeclaration, TopicDeclaration } from './declarations.ts'
import { TailraceError } from './errors.ts'
import type { StreamEvent } from './event.ts'
import { freezeDeep } from './freeze.ts'
import { isThenable } from './schema.ts'

/** One way into a stream: a topic, and the steps its events take. */
export interface Inlet {
  readonly topic: TopicDeclaration
  readonly steps: readonly Step[]
}

/** The topics that a stream begins at; a group begins at its repartition topic. */
export function inletsOf(stream: StreamDeclaration, after: readonly Step[] = []): Inlet[] {
  switch (stream.kind) {
    case 'source':
    case 'group':
      return [{ topic: stream.topic, steps: after }]
    case 'step':
      return inletsOf(stream.from, [stream.step, ...after])
    case 'merge':
      return stream.from.flatMap((from) => inletsOf(from, after))
  }
}

/** Takes an event through the steps; undefined when a filter drops it. */
export type Fused = (event: StreamEvent) => StreamEvent | undefined

/** One synchronous function out of several steps. */
export function fuse(steps: readonly Step[]): Fused {
  if (steps.length === 0) return (event) => event
  return (event) => {
    let current = event
    for (const step of steps) {
      const result = step.run(current)
      if (step.kind === 'map') current = current.withValue(frozenResult(result))
      else if (step.kind === 'filter' && result !== true && !isTruthy(result)) return undefined
    }
    return current
  }
}

function isTruthy(result: unknown): boolean {
  if (isThenable(result)) refuseAsync('filter')
  return Boolean(result)
}

function frozenResult(result: unknown): unknown {
  if (isThenable(result)) refuseAsync('map')
  freezeDeep(result)
  return result
}

function refuseAsync(kind: string): never {
  throw new TailraceError(
    'TAILRACE_AGENT_ASYNC_STEP',
    `a ${kind} step returned a promise; steps on the way to an agent are synchronous`
  )
}
