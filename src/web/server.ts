// The web server of a worker: its own health pages, and the pages that the app declares.
import type { Server } from 'node:http'
import { createServer } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { Hono } from 'hono'
import { messageOf, TailraceError } from '../core/errors.ts'
import type { Log } from '../runtime/log.ts'
import type { WorkerStatus } from '../runtime/worker.ts'
import { webHandler } from './routes.ts'

export interface WebServerOptions {
  readonly host: string
  /** 0 takes any that is free. */
  readonly port: number
  readonly pages: Hono
  /** Undefined while there is no worker yet. */
  readonly status: () => WorkerStatus | undefined
  readonly log: Log
}

export interface WebServer {
  readonly url: string
  /** Lets requests under way end for a moment, then cuts them. */
  close(): Promise<void>
}

/** Requests under way get this long when the server closes. */
const closeWaitMs = 1_000

/** Ports that are tried to find one to propose. */
const portsTriedMax = 50

/**
 * Resolves when it listens.
 *
 * @throws TAILRACE_WEB_PORT_TAKEN with a port that is free, TAILRACE_WEB_ADDRESS
 */
export async function startWeb(options: WebServerOptions): Promise<WebServer> {
  const fetch = webHandler(options)
  // The process is not ours alone: its global Request and Response stay Node's.
  const server = createAdaptorServer({ fetch, overrideGlobalObjects: false })
  try {
    await listen(server, options)
  } catch (error) {
    throw await listenError(error, options)
  }
  server.on('error', (error) => options.log.error({ error }, 'the web server failed'))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : options.port
  return { url: urlOf(options.host, port), close: () => close(server) }
}

function listen(
  server: Pick<Server, 'listen' | 'once' | 'off'>,
  { host, port }: { readonly host: string; readonly port: number }
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function listenError(error: unknown, { host, port }: WebServerOptions): Promise<Error> {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code !== 'EADDRINUSE') {
    return new TailraceError(
      'TAILRACE_WEB_ADDRESS',
      `the web pages cannot be served at ${host}:${port}: ${messageOf(error)}`,
      { cause: error }
    )
  }
  const free = await nextFree(host, port)
  const proposal = free === undefined ? '' : `; port ${free} is free`
  return new TailraceError(
    'TAILRACE_WEB_PORT_TAKEN',
    `port ${port} of ${host} is used by another program${proposal}`,
    {
      hint:
        free === undefined
          ? 'Choose another with --web-port, or serve none with --without-web.'
          : `Use --web-port ${free}, or serve none with --without-web.`,
      cause: error
    }
  )
}

async function nextFree(host: string, taken: number): Promise<number | undefined> {
  const last = Math.min(taken + portsTriedMax, 65_535)
  for (let port = taken + 1; port <= last; port++) {
    const probe = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false))
      probe.listen({ host, port }, () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => probe.close(resolve))
    return port
  }
  return undefined
}

function urlOf(host: string, port: number): string {
  const isAnywhere = host === '0.0.0.0' || host === '::'
  const name = isAnywhere ? 'localhost' : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${port}`
}

function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  server.closeIdleConnections()
  const cut = setTimeout(() => server.closeAllConnections(), closeWaitMs)
  return closed.finally(() => clearTimeout(cut))
}
