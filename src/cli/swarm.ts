// `swarm status`, `quiet`, `stop`, `restart`, `roll`, `dump`: told to a supervisor at its control
// port. Nothing of the app is imported.
import { setTimeout as sleep } from 'node:timers/promises'
import { TailraceError } from '../core/errors.ts'
import { refuseAll } from '../core/problems.ts'
import { layerOfEnvironment, layerOfFlags } from '../host/option-layers.ts'
import { defaultDatadir } from '../host/option-table.ts'
import { swarmDefaults } from '../host/swarm-options.ts'
import { type FoundSwarm, findSwarm, statusOf, tell } from '../swarm/control-client.ts'
import { cellsOf, type ControlStatus, megabytes } from '../swarm/control-page.ts'
import { columns } from './columns.ts'
import { flagsOf, type Given } from './flags.ts'

export interface SwarmContext {
  readonly swarm: FoundSwarm
  readonly isJson: boolean
  readonly print: (text: string) => void
}

/**
 * Finds the swarm that is meant: by its port, else in the data directory.
 *
 * @throws TAILRACE_SWARM_NOT_FOUND, TAILRACE_CONFIG_INVALID
 */
export async function openSwarm(given: Given): Promise<SwarmContext> {
  const { 'swarm.nodes': _, ...flags } = flagsOf(given)
  const layers = [layerOfFlags(flags), layerOfEnvironment(process.env)]
  const problems = layers.flatMap((layer) => layer.problems)
  refuseAll('TAILRACE_CONFIG_INVALID', 'the configuration', problems)
  const get = <T>(path: string): T | undefined =>
    layers.find(({ values }) => values.has(path))?.values.get(path) as T | undefined
  const port = get<number>('swarm.port')
  const swarm = await findSwarm({
    // Whoever starts it with 0 does not know it.
    port: port === 0 ? undefined : port,
    host: get('swarm.host') ?? swarmDefaults.host,
    datadir: get('datadir') ?? defaultDatadir
  })
  return { swarm, isJson: given['json'] === true, print: (text) => console.log(text) }
}

export function status({ isJson, print, swarm }: SwarmContext): void {
  const { status: now } = swarm
  print(isJson ? JSON.stringify(now) : statusText(now))
}

function statusText({ app, nodes, pid, roll, rssBytes, state }: ControlStatus): string {
  const head = `${app}: ${state}, supervisor pid ${pid}, ${megabytes(rssBytes)} MB`
  const names = ['node', 'pid', 'phase', 'ready', 'uptime', 'restarts', 'health', 'resident', 'web']
  const rows = nodes.map((node) => [...cellsOf(node), node.web ?? 'none'])
  const said = roll === undefined ? [] : [rollText(roll)]
  return [head, columns([names, ...rows]), ...said].join('\n')
}

function rollText({ done, nodes, reason, state }: NonNullable<ControlStatus['roll']>): string {
  const why = reason === undefined ? '' : `: ${reason}`
  return `roll ${state}, ${done.length} of ${nodes.length} nodes are ready again${why}`
}

/** A command that is over when the supervisor has taken it. */
export async function command({ isJson, print, swarm }: SwarmContext, path: string): Promise<void> {
  const said = await tell(swarm.place, path)
  print(isJson ? JSON.stringify({ said }) : said)
}

const lookMs = 200

/**
 * Rolls, and waits until that is over; who stops waiting does not stop the roll.
 *
 * @throws TAILRACE_SWARM_ROLL_FAILED
 */
export async function roll(context: SwarmContext, node: string | undefined): Promise<void> {
  const { isJson, print, swarm } = context
  const { place } = swarm
  const said = await tell(place, node === undefined ? '/roll' : `/roll/${node}`)
  if (!isJson) print(said)
  let told = 0
  for (;;) {
    const { roll: now } = await statusOf(place)
    if (now === undefined) return
    for (; told < now.done.length; told++) {
      if (!isJson) print(`node ${now.done[told]} was started anew, and is ready`)
    }
    if (now.state === 'done') return isJson ? print(JSON.stringify(now)) : undefined
    if (now.state !== 'rolling') {
      throw new TailraceError('TAILRACE_SWARM_ROLL_FAILED', rollText(now))
    }
    await sleep(lookMs)
  }
}
