// What a supervisor answers at its control port: one function from a request to an answer.
import { formatDuration } from '../core/duration.ts'
import { type ControlRequest, isReading, refusalOf } from './control-guard.ts'
import { type ControlStatus, controlPage } from './control-page.ts'
import type { Supervisor } from './supervisor.ts'
import type { NodeStatus, SwarmStatus } from './swarm-status.ts'

/** What is controlled. */
export type Controlled = Pick<Supervisor, 'dump' | 'quiet' | 'restart' | 'roll' | 'status' | 'stop'>

export interface ControlRoutesParts {
  readonly supervisor: Controlled
  readonly controlTimeoutMs: number
  /** Of the supervisor itself. */
  readonly rssBytes: () => number
}

export interface ControlAnswer {
  readonly status: number
  /** An object is sent as JSON, a text as a page. */
  readonly body: object | string
  readonly headers?: Readonly<Record<string, string>>
}

/** Told by a program, and as a refusal by a sentence. */
interface Command {
  readonly takesNode: 'always' | 'maybe' | 'never'
  /** The sentence of what comes of it; throws nothing. */
  readonly run: (supervisor: Controlled, node: number | undefined) => Told
}

type Told = { readonly said: string } | { readonly refused: string }

const commands: Readonly<Record<string, Command>> = {
  quiet: { takesNode: 'never', run: quiet },
  stop: { takesNode: 'never', run: stop },
  restart: { takesNode: 'always', run: restart },
  roll: { takesNode: 'maybe', run: roll },
  dump: { takesNode: 'maybe', run: dump }
}

/** Answers one request; refused are those of other origins. */
export function answerControl(request: ControlRequest, parts: ControlRoutesParts): ControlAnswer {
  const refused = refusalOf(request)
  if (refused !== undefined) return { status: 403, body: { error: refused } }
  return isReading(request.method) ? read(request.path, parts) : command(request, parts)
}

function read(path: string, parts: ControlRoutesParts): ControlAnswer {
  const status: ControlStatus = { ...parts.supervisor.status(), rssBytes: parts.rssBytes() }
  switch (path) {
    case '/':
      return { status: 200, body: controlPage(status) }
    case '/status':
      return { status: 200, body: status }
    case '/live':
      return live(status, parts.controlTimeoutMs)
    case '/ready':
      return ready(status)
    default: {
      const [, name = ''] = path.split('/')
      if (!Object.hasOwn(commands, name)) return notHere('GET', path)
      const error = `/${name} is a command: it is sent by POST`
      return { status: 405, body: { error }, headers: { allow: 'POST' } }
    }
  }
}

// Says nothing of nodes: while they stop, or are gone, the supervisor does what it is there for.
function live({ controlledMs, pid, state }: SwarmStatus, controlTimeoutMs: number): ControlAnswer {
  const rounded = Math.round(controlledMs)
  const isLive = controlledMs <= controlTimeoutMs
  const body = { isLive, pid, state, controlledMs: rounded, controlTimeoutMs }
  if (isLive) return { status: 200, body }
  const reason =
    `the supervisor has not looked at its nodes for ${formatDuration(rounded)}; ` +
    `expected at most ${formatDuration(controlTimeoutMs)}`
  return { status: 500, body: { ...body, reason } }
}

function ready({ nodes, pid, state }: SwarmStatus): ControlAnswer {
  const waiting = nodes
    .filter(({ isReady }) => !isReady)
    .map((node) => ({ id: node.id, phase: node.phase, reason: waitingText(node) }))
  const isReady = waiting.length === 0
  const body = { isReady, pid, state, nodes: nodes.length }
  if (isReady) return { status: 200, body }
  const reason = waiting.map(({ reason }) => reason).join('; ')
  return { status: 503, body: { ...body, reason, waiting }, headers: { 'retry-after': '1' } }
}

function waitingText({ id, lastExit, phase, unready }: NodeStatus): string {
  switch (phase) {
    case 'waiting':
      return lastExit === undefined ? `node ${id} is to be started` : `node ${id} has ended`
    case 'booting':
      return `node ${id} starts`
    case 'running':
      return `node ${id}: ${unready ?? 'it is not assigned or restored yet'}`
    case 'stopping':
    case 'killed':
      return `node ${id} stops`
    case 'ended':
      return `node ${id} has ended, and stays away`
  }
}

function command({ method, path }: ControlRequest, { supervisor }: ControlRoutesParts) {
  const [, name = '', text, ...more] = path.split('/')
  const found = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (found === undefined || more.length > 0) return notHere(method, path)
  if (method !== 'POST') {
    const error = `${method} is not known here: a command is sent by POST`
    return { status: 405, body: { error }, headers: { allow: 'POST' } }
  }
  const odd = oddNode(name, { text, takes: found.takesNode, supervisor })
  if (odd !== undefined) return { status: 404, body: { error: odd } }
  const told = found.run(supervisor, text === undefined ? undefined : Number(text))
  return 'refused' in told
    ? { status: 409, body: { error: told.refused } }
    : { status: 202, body: { said: told.said } }
}

function notHere(method: string, path: string): ControlAnswer {
  return { status: 404, body: { error: `${method} ${path} is not here` } }
}

/** What is wrong with the node that a command names. */
function oddNode(
  name: string,
  parts: {
    readonly text: string | undefined
    readonly takes: Command['takesNode']
    readonly supervisor: Controlled
  }
): string | undefined {
  const { supervisor, takes, text } = parts
  if (text === undefined) {
    return takes === 'always' ? `/${name} needs a node: /${name}/0` : undefined
  }
  if (takes === 'never') return `/${name} is for all nodes, and takes none`
  const { nodes } = supervisor.status()
  const isKnown = /^\d{1,6}$/.test(text) && nodes.some(({ id }) => id === Number(text))
  if (isKnown) return undefined
  const last = nodes.length - 1
  const has = last === 0 ? 'the only one is node 0' : `there are nodes 0 to ${last}`
  return `there is no node ${JSON.stringify(text)}: ${has}`
}

function quiet(supervisor: Controlled): Told {
  const { state } = supervisor.status()
  if (state !== 'running' && state !== 'quiet') return { refused: `the swarm is ${state}` }
  supervisor.quiet()
  return { said: 'the swarm is quiet: nodes finish what is open, and nothing is started again' }
}

function stop(supervisor: Controlled): Told {
  const isAgain = supervisor.status().state === 'stopping'
  supervisor.stop({ reason: 'the control port' })
  return { said: isAgain ? 'the swarm stops at once' : 'the swarm stops' }
}

function restart(supervisor: Controlled, id: number = 0): Told {
  const { nodes, roll, state } = supervisor.status()
  if (state !== 'running') {
    return { refused: `the swarm is ${state}: nothing is started again` }
  }
  if (roll?.state === 'rolling') return { refused: 'the swarm rolls, one node at a time' }
  const phase = nodes.find((node) => node.id === id)?.phase
  if (phase === 'stopping' || phase === 'killed') return { refused: `node ${id} stops already` }
  supervisor.restart(id, 'the control port')
  return { said: `node ${id} stops, and starts again at once` }
}

function roll(supervisor: Controlled, id: number | undefined): Told {
  const refused = supervisor.roll(id)
  if (refused !== undefined) return { refused }
  return { said: id === undefined ? 'the swarm rolls' : `node ${id} is rolled` }
}

function dump(supervisor: Controlled, id: number | undefined): Told {
  supervisor.dump(id)
  const whose = id === undefined ? 'every node writes' : `node ${id} writes`
  return { said: `${whose} what runs to the standard error of the swarm` }
}
