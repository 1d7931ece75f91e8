// What a swarm says when it starts: how many nodes and why, and what they share.
import type { SwarmDescription } from '../host/swarm-description.ts'

export function swarmReport(
  description: SwarmDescription,
  { isJson, pid }: { readonly isJson: boolean; readonly pid: number }
): string {
  if (isJson) return JSON.stringify({ event: 'swarm', pid, ...description })
  const { app, broker, control, guarantee, nodes, tasks, units, web } = description
  const topics = units.map(({ name, partitions }) => `${name} (${partitions})`)
  const rows: readonly (readonly [string, string])[] = [
    ['app', `${app}, supervisor pid ${pid}`],
    ['nodes', nodesText(description)],
    ['broker', broker],
    ['guarantee', guarantee],
    ['tasks', `${tasks}: ${topics.join(', ')}`],
    ['web', web === undefined ? 'none' : webText(web, nodes)],
    ['control', webText(control, 1)]
  ]
  return rows.map(([name, text]) => `${name.padEnd(10)}${text}`).join('\n')
}

function nodesText({ cores, isAuto, nodes, tasks }: SwarmDescription): string {
  if (!isAuto) return String(nodes)
  const why = nodes < cores ? `as many as there are tasks; ${cores} cores` : 'one a core'
  return `${nodes} (auto: ${why}, ${tasks} tasks)`
}

function webText({ host, port }: { readonly host: string; readonly port: number }, nodes: number) {
  const where = `http://${host.includes(':') ? `[${host}]` : host}`
  if (port === 0) return `${where}, any port for each`
  return nodes === 1 ? `${where}:${port}` : `${where}:${port} to ${port + nodes - 1}, one a node`
}
