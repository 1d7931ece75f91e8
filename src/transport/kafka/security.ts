// Who we are to the brokers, and whom we trust: checked, read from files, ready for a connection.

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { ConnectionOptions } from 'node:tls'
import { createSecureContext } from 'node:tls'
import { messageOf } from '../../core/errors.ts'
import type { Problem } from '../../core/problems.ts'
import type { SASLOptions } from './library.ts'

/** Kafka's ways to log in, by the names that brokers give them. */
export type SaslMechanism = 'plain' | 'scram-sha-256' | 'scram-sha-512' | 'oauthbearer'

/** How we log in. */
export interface KafkaSasl {
  /** @default plain where a user is named, oauthbearer where a token is */
  readonly mechanism?: SaslMechanism
  readonly username?: string
  readonly password?: string
  /** For `oauthbearer`. */
  readonly token?: string
  /** Instead of `token`: a file with it, read again at every login. */
  readonly tokenFile?: string
}

/** Whom we trust, and what we show. Each is the name of a file, or PEM text. */
export interface KafkaTls {
  /** Certificates of the authorities that are trusted. @default those Node trusts */
  readonly ca?: string
  /** Certificate of ours, for brokers that ask for one. */
  readonly cert?: string
  /** Its key. */
  readonly key?: string
  readonly keyPassword?: string
}

/** What a connection is opened with. Holds secrets: never printed, never part of an error. */
export interface Security {
  readonly tls: ConnectionOptions | undefined
  readonly sasl: SASLOptions | undefined
}

/** The same as plain data, which may go to another thread. */
export interface Credentials {
  readonly tls: KafkaTls | undefined
  readonly sasl: (KafkaSasl & { readonly mechanism: SaslMechanism }) | undefined
}

/** Neither TLS nor a login. */
export const plaintext: Security = { tls: undefined, sasl: undefined }

/** Checks what was given and reads its files, once; what is wrong goes to `problems`. */
export function readCredentials(
  given: {
    readonly sasl?: KafkaSasl | undefined
    readonly tls?: boolean | KafkaTls | undefined
    /** Of the URL; weaker than `sasl`. */
    readonly username?: string | undefined
    readonly password?: string | undefined
  },
  problems: Problem[]
): Credentials {
  const { username, password } = given
  const login = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...given.sasl
  }
  return { sasl: readSasl(login, problems), tls: readTls(given.tls ?? false, problems) }
}

function readSasl(sasl: KafkaSasl, problems: Problem[]): Credentials['sasl'] {
  if (Object.values(sasl).every((value) => value === undefined)) return undefined
  const hasToken = sasl.token !== undefined || sasl.tokenFile !== undefined
  const mechanism = sasl.mechanism ?? (hasToken ? 'oauthbearer' : 'plain')
  const missing = (path: string, what: string): void => {
    const message = `is missing; the mechanism ${mechanism} logs in with ${what}`
    problems.push({ path, message })
  }
  if (mechanism === 'oauthbearer') {
    if (!hasToken) missing('sasl.token', 'a token')
  } else {
    if (sasl.username === undefined) missing('sasl.username', 'a user name and a password')
    if (sasl.password === undefined) missing('sasl.password', 'a user name and a password')
  }
  if (sasl.tokenFile !== undefined) textOf('sasl.tokenFile', sasl.tokenFile, problems)
  return { ...sasl, mechanism }
}

function readTls(tls: boolean | KafkaTls, problems: Problem[]): KafkaTls | undefined {
  if (tls === false) return undefined
  if (tls === true) return {}
  const { ca, cert, key, keyPassword } = tls
  const read: KafkaTls = {
    ...(ca !== undefined && { ca: certificateOf('tls.ca', ca, problems) }),
    ...(cert !== undefined && { cert: certificateOf('tls.cert', cert, problems) }),
    ...(key !== undefined && { key: pemOf('tls.key', key, problems) }),
    ...(keyPassword !== undefined && { keyPassword })
  }
  if ((cert === undefined) !== (key === undefined)) {
    const path = cert === undefined ? 'tls.cert' : 'tls.key'
    problems.push({ path, message: 'is missing; a certificate and its key go together' })
  } else if (problems.length === 0) {
    checkContext(read, problems)
  }
  return read
}

/** A key of another certificate, or a wrong password, is found now and not at a handshake. */
function checkContext(tls: KafkaTls, problems: Problem[]): void {
  try {
    createSecureContext(connectionTls(tls))
  } catch (error) {
    problems.push({ path: 'tls.key', message: `cannot be used: ${messageOf(error)}` })
  }
}

function pemOf(path: string, given: string, problems: Problem[]): string {
  const text = given.includes('-----BEGIN') ? given : textOf(path, given, problems)
  if (text !== '' && !text.includes('-----BEGIN')) {
    problems.push({ path, message: `holds no PEM text: ${shown(given)}` })
  }
  return text
}

/** Node takes what is no certificate among the trusted ones without a word, and trusts nobody. */
function certificateOf(path: string, given: string, problems: Problem[]): string {
  const before = problems.length
  const text = pemOf(path, given, problems)
  if (problems.length > before || text === '') return text
  try {
    new X509Certificate(text)
  } catch (error) {
    problems.push({ path, message: `cannot be used: ${messageOf(error)}` })
  }
  return text
}

function textOf(path: string, file: string, problems: Problem[]): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
    problems.push({ path, message: `cannot be read${code}: ${shown(file)}` })
    return ''
  }
}

/** The name of a file; what is longer may be a key that was meant to be PEM text. */
function shown(file: string): string {
  return file.length > 200 || file.includes('\n') ? '(not shown)' : file
}

export function securityOf({ sasl, tls }: Credentials): Security {
  return {
    sasl: sasl === undefined ? undefined : saslOf(sasl),
    tls: tls === undefined ? undefined : connectionTls(tls)
  }
}

function connectionTls({ ca, cert, key, keyPassword }: KafkaTls): ConnectionOptions {
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(keyPassword !== undefined && { passphrase: keyPassword })
  }
}

const wireNames = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM-SHA-256',
  'scram-sha-512': 'SCRAM-SHA-512',
  oauthbearer: 'OAUTHBEARER'
} as const

function saslOf(sasl: NonNullable<Credentials['sasl']>): SASLOptions {
  const { mechanism, username, password, token, tokenFile } = sasl
  const fromFile = async (file: string): Promise<string> => (await readFile(file, 'utf8')).trim()
  return {
    mechanism: wireNames[mechanism],
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(token !== undefined && { token }),
    ...(tokenFile !== undefined && { token: () => fromFile(tokenFile) }),
    ...(mechanism === 'oauthbearer' && { authBytesValidator: refuseToken })
  }
}

/** A broker refuses a token by an answer that is no error: only in its bytes does it say so. */
function refuseToken(said: Buffer, callback: (error: Error | null, bytes: Buffer) => void): void {
  callback(said.length === 0 ? null : new RefusedToken(said.toString()), said)
}

/** In the form of the library's refusals, which `connectFailure` reads. */
class RefusedToken extends Error {
  readonly apiId: string = 'SASL_AUTHENTICATION_FAILED'
  readonly serverErrorMessage: string

  constructor(said: string) {
    const status = /"status"\s*:\s*"([\w -]{1,60})"/.exec(said)?.[1]
    super('the token was refused')
    this.serverErrorMessage = status ?? 'the token is not accepted'
  }
}
