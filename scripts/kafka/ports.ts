// Free ports of the loopback interface, for programs that must be told theirs.
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below where Linux (32768) and others take the ports of outgoing connections from: a broker that
 * was killed finds its port free when it comes back. */
const first = 20_000
const count = 12_000
const given = new Set<number>()

/**
 * Ports nobody listens on, each given once by this process. Another process may still take one
 * before it is used: whoever binds it tries again with others.
 */
export async function freePorts(wanted: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < wanted) {
    const port = first + Math.floor(Math.random() * count)
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    ports.push(port)
  }
  return ports
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen({ host: '127.0.0.1', port, exclusive: true })
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
