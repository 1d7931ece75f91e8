// The control port of a supervisor: node:http and nothing else, since a supervisor stays light.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { messageOf, TailraceError } from '../core/errors.ts'
import type { ControlPlace } from '../host/control-place.ts'
import type { Log } from '../runtime/log.ts'
import type { ControlRequest } from './control-guard.ts'
import { answerControl, type ControlRoutesParts } from './control-routes.ts'

export interface ControlServerParts extends ControlRoutesParts {
  readonly log: Log
}

export interface ControlServer extends ControlPlace {
  /** Answers nothing from now on; whoever is answered right now is cut off. */
  close(): Promise<void>
}

const connectionsMax = 64
const requestMsMax = 10_000

/**
 * Resolves when it listens.
 *
 * @throws TAILRACE_SWARM_PORT
 */
export async function startControl(
  { host, port }: ControlPlace,
  parts: ControlServerParts
): Promise<ControlServer> {
  const server = createServer((request, response) => answer(request, response, parts))
  server.maxConnections = connectionsMax
  server.requestTimeout = requestMsMax
  server.headersTimeout = requestMsMax
  const failed = await new Promise<unknown>((resolve) => {
    server.once('error', resolve)
    server.listen({ host, port }, () => resolve(undefined))
  })
  if (failed !== undefined) throw portError({ host, port }, failed)
  server.on('error', (error) => parts.log.error({ error }, 'the control port failed'))
  const { port: own } = server.address() as AddressInfo
  return { host, port: own, close: () => close(server) }
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  parts: ControlServerParts
): void {
  // Commands have no body; what is sent all the same is not kept.
  request.resume()
  const { body, headers, status } = answerSafely(requestOf(request), parts)
  const isPage = typeof body === 'string'
  response.writeHead(status, {
    'content-type': isPage ? 'text/html; charset=utf-8' : 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    ...headers
  })
  response.end(request.method === 'HEAD' ? undefined : isPage ? body : JSON.stringify(body))
}

// A mistake of ours in an answer must not end the supervisor, and with it every node.
function answerSafely(request: ControlRequest, parts: ControlServerParts) {
  try {
    return answerControl(request, parts)
  } catch (error) {
    parts.log.error({ error }, `the control port cannot answer ${request.method} ${request.path}`)
    return { status: 500, body: { error: messageOf(error) }, headers: {} }
  }
}

function requestOf({ headers, method = '', socket, url = '' }: IncomingMessage): ControlRequest {
  const [path = ''] = url.split('?')
  const fetchSite = headers['sec-fetch-site']
  const { localAddress, remoteAddress } = socket
  return {
    method,
    path: path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path,
    host: headers.host,
    origin: headers.origin,
    fetchSite: typeof fetchSite === 'string' ? fetchSite : undefined,
    // From an address of ours to the same one: no other machine can have it.
    isLocal:
      remoteAddress !== undefined && (isLoopback(remoteAddress) || remoteAddress === localAddress)
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./.test(address)
}

function portError({ host, port }: ControlPlace, failed: unknown): TailraceError {
  const isTaken = failed instanceof Error && 'code' in failed && failed.code === 'EADDRINUSE'
  return isTaken
    ? new TailraceError(
        'TAILRACE_SWARM_PORT',
        `the control port ${port} of ${host} is used by another program, maybe by another swarm`
      )
    : new TailraceError(
        'TAILRACE_SWARM_PORT',
        `the control port cannot be at ${host}:${port}: ${messageOf(failed)}`,
        { cause: failed }
      )
}

function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  server.closeAllConnections()
  return closed
}
