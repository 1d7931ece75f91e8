// A swarm as one plain page: a table of its nodes, and nothing that runs in a browser.
import { formatDuration } from '../core/duration.ts'
import type { NodeStatus, SwarmStatus } from './swarm-status.ts'

/** As `/status` says it. */
export interface ControlStatus extends SwarmStatus {
  /** Of the supervisor. */
  readonly rssBytes: number
}

const heads = [
  'node',
  'pid',
  'phase',
  'ready',
  'uptime',
  'restarts',
  'health',
  'resident',
  'pages'
] as const

export function controlPage(status: ControlStatus): string {
  const { app, nodes, pid, roll, rssBytes, state } = status
  const title = escaped(`${app}: swarm of ${nodes.length}`)
  const rolled = roll === undefined ? '' : `, roll ${roll.state}${reasonOf(roll.reason)}`
  const said = escaped(`${state}${rolled}, supervisor pid ${pid}, ${megabytes(rssBytes)} MB`)
  const head = heads.map((name) => `<th scope="col">${name}</th>`).join('')
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>${title}</title></head>
<body>
<h1>${title}</h1>
<p>${said}</p>
<table border="1">
<thead><tr>${head}</tr></thead>
<tbody>
${nodes.map(row).join('\n')}
</tbody>
</table>
</body>
</html>
`
}

function row(node: NodeStatus): string {
  const [first, ...cells] = cellsOf(node).map(escaped)
  const { web } = node
  // What a node says of itself becomes a link only where it can be nothing else.
  const isLink = web !== undefined && /^https?:\/\//.test(web)
  const text = escaped(web ?? 'none')
  const pages = isLink ? `<a href="${text}">${text}</a>` : text
  const data = [...cells, pages].map((cell) => `<td>${cell}</td>`).join('')
  return `<tr><th scope="row">${first}</th>${data}</tr>`
}

/** One node as texts, without its pages. */
export function cellsOf(node: NodeStatus): string[] {
  const { health, id, isReady, phase, pid, restarts, uptimeMs } = node
  return [
    String(id),
    pid === undefined ? '-' : String(pid),
    phase,
    isReady ? 'yes' : 'no',
    uptimeMs === undefined ? '-' : uptimeText(uptimeMs),
    String(restarts),
    healthText(node),
    health === undefined ? '-' : `${megabytes(health.rssBytes)} MB`
  ]
}

function healthText({ health }: NodeStatus): string {
  if (health === undefined) return 'not said yet'
  return health.code === 0 ? 'well' : `${health.code}${reasonOf(health.reason)}`
}

function reasonOf(reason: string | undefined): string {
  return reason === undefined ? '' : `: ${reason}`
}

/** Of more than a minute, nobody asks for the milliseconds. */
function uptimeText(ms: number): string {
  if (ms < 60_000) return formatDuration(Math.round(ms / 100) * 100)
  const minutes = Math.floor(ms / 60_000)
  return minutes < 60 ? `${minutes}m` : `${Math.floor(minutes / 60)}h ${minutes % 60}m`
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
