// What we use of @hono/node-server. Its own declarations name types of the DOM, which is not here.
import type { Server } from 'node:http'

export declare function createAdaptorServer(options: {
  readonly fetch: (request: Request) => Response | Promise<Response>
  /** Replaces Node's global Request and Response by lighter ones. */
  readonly overrideGlobalObjects?: boolean
}): Server
