// The pages that every worker has: is it alive, is it ready, what does it do.
import { type Context, Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { messageOf, TailraceError } from '../core/errors.ts'
import type { Log } from '../runtime/log.ts'
import type { WorkerStatus } from '../runtime/worker.ts'

export interface WebHandlerOptions {
  readonly pages: Hono
  readonly status: () => WorkerStatus | undefined
  readonly log: Log
}

type Fetch = (request: Request) => Response | Promise<Response>

const builtIn = ['/live', '/ready', '/status']

/** Answers a request: a page of the app where it declares that path, else one of ours. */
export function webHandler({ log, pages, status }: WebHandlerOptions): Fetch {
  const own = ownPages(status)
  const bindings: PageBindings = { tailraceLog: log }
  return (request) => {
    const path = pathOf(request)
    // Middleware of the app, such as a log-in, stays out of the way of health checks.
    const isOwn = builtIn.includes(path) && !declares(pages, path)
    return (isOwn ? own : pages).fetch(request, bindings)
  }
}

function ownPages(status: () => WorkerStatus | undefined): Hono {
  const own = new Hono({ strict: false })
  own.get('/live', (c) => c.json({ isLive: true }))
  own.get('/ready', (c) => {
    const current = status()
    if (current?.isReady === true) return c.json({ isReady: true })
    const reason = current?.reason ?? 'the worker is starting'
    return c.json({ isReady: false, reason }, 503, { 'retry-after': '1' })
  })
  own.get('/status', (c) => {
    const current = status()
    return current === undefined ? c.json({ state: 'starting', isReady: false }) : c.json(current)
  })
  own.notFound((c) => c.json({ error: `${c.req.method} ${c.req.path} is not here` }, 405))
  return own
}

function pathOf(request: Request): string {
  const { pathname } = new URL(request.url)
  return pathname.length > 1 && pathname.endsWith('/') ? pathname.slice(0, -1) : pathname
}

function declares(pages: Hono, path: string): boolean {
  return pages.routes.some((route) => route.path === path || route.path === `${path}/`)
}

interface PageBindings {
  readonly tailraceLog: Log
}

/** What a page of the app that threw answers, unless the app has its own `onError`. */
export function answerError(error: Error, c: Context): Response {
  if (error instanceof HTTPException) return error.getResponse()
  const body = { error: messageOf(error) }
  if (error instanceof TailraceError) {
    const known = { ...body, code: error.code, ...error.context }
    if (error.code === 'TAILRACE_TABLE_NOT_LOCAL') return c.json(known, 421)
    if (error.code === 'TAILRACE_TABLE_NOT_READY') {
      return c.json(known, 503, { 'retry-after': '1' })
    }
  }
  logOf(c)?.error({ error, method: c.req.method, path: c.req.path }, 'a web page failed')
  return c.json(body, 500)
}

/** What the app answers where it has no page, unless it has its own `notFound`. */
export function answerNotFound(c: Context): Response {
  return c.json({ error: `${c.req.method} ${c.req.path} is not here` }, 404)
}

// Absent where `app.web` is mounted in another server: that one logs.
function logOf(c: Context): Log | undefined {
  const bindings: Partial<PageBindings> | undefined = c.env
  return bindings?.tailraceLog
}
