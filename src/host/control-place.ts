// Where a supervisor can be asked and told things: a port beside those of the web pages.
import type { Problem } from '../core/problems.ts'
import type { WebOptions } from './options.ts'
import type { SwarmChoice } from './swarm-options.ts'

/** Address and port of the control port; 0 takes any that is free. */
export interface ControlPlace {
  readonly host: string
  readonly port: number
}

/** Where nobody says it: the port before that of node 0, or any where that has none. */
export function controlPlaceOf(
  { host, port }: SwarmChoice,
  web: Required<WebOptions> | undefined
): ControlPlace {
  return { host, port: port ?? Math.max(0, (web?.port ?? 0) - 1) }
}

/** A port that one of the nodes would take. */
export function controlProblems(
  place: ControlPlace,
  web: Required<WebOptions> | undefined,
  nodes: number
): Problem[] {
  if (web === undefined || web.port === 0) return []
  const last = web.port + nodes - 1
  if (place.port < web.port || place.port > last) return []
  return [
    {
      path: 'swarm.port',
      message: `is ${place.port}, which the web pages of node ${place.port - web.port} would take`,
      fix: `Choose one below ${web.port} or above ${last}: node n takes web.port + n.`
    }
  ]
}
