// Who we are to the brokers, and whom we trust: what a connection is opened with.

import type { ConnectionOptions } from 'node:tls'
import type { SASLOptions } from './library.ts'

/** Read and checked; holds secrets, so it is never printed and never part of an error. */
export interface Security {
  readonly tls: ConnectionOptions | undefined
  readonly sasl: SASLOptions | undefined
}

/** Neither TLS nor a login. */
export const plaintext: Security = { tls: undefined, sasl: undefined }
