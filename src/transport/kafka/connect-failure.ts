// Tells apart why a connection did not come about: address, TLS, trust, or login.

import { messageOf } from '../../core/errors.ts'
import { KafkaFailure, kafka, local } from './protocol-failure.ts'
import type { Security } from './security.ts'

/** OpenSSL's and Node's names for a certificate that was looked at and refused. */
const untrusted = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ALTNAME|INVALID_CA|HOSTNAME_MISMATCH/

/** A peer that does not speak TLS, or closes when it is spoken to. */
const noTls = /WRONG_VERSION_NUMBER|PACKET_LENGTH|UNEXPECTED_MESSAGE|DECODE_ERROR|ERR_SSL_.*RECORD/

/** Alerts by which the broker refuses our certificate, or the lack of one. */
const refusedByBroker = /ALERT_(BAD_CERTIFICATE|CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)/

/** What `place` could not be connected for; `error` is the library's, with its causes. */
export function connectFailure(error: unknown, place: string, security: Security): KafkaFailure {
  const chain = [...causes(error)]
  const what = `connecting to ${place}`
  const login = chain.find((one) => textIn(one, 'apiId') !== undefined)
  if (login !== undefined) return loginFailure(login, what, error)
  const codes = chain.map((one) => textIn(one, 'code') ?? '').join(' ')
  const messages = chain.map(messageOf).join(' ')
  if (security.tls !== undefined) {
    if (refusedByBroker.test(codes)) {
      const reason = 'the broker refused our certificate, or asks for one'
      return new KafkaFailure(local.untrusted, what, { cause: error, reason, hint: ourCertificate })
    }
    if (noTls.test(codes) || messages.includes('secure TLS connection was established')) {
      const reason = 'TLS is on, and the broker does not speak it at this port'
      return new KafkaFailure(local.tlsMismatch, what, { cause: error, reason })
    }
    if (untrusted.test(codes)) {
      const reason = `its certificate is not trusted: ${messageOf(chain.at(-1))}`
      return new KafkaFailure(local.untrusted, what, { cause: error, reason })
    }
  }
  const code = messages.includes('timed out') ? local.timedOut : local.connectionLost
  const reason = messageOf(chain.at(-1))
  return new KafkaFailure(code, what, { cause: error, reason, hint: absent })
}

const absent = 'Check host and port of `broker`, and that the broker runs.'
const ourCertificate = 'Give `tls.cert` and `tls.key`, of an authority that the broker trusts.'

/** The broker answered in TLS what was asked in plain text. */
export function tlsAtPort(what: string): KafkaFailure {
  const reason = 'the broker speaks TLS at this port, and TLS is not on'
  return new KafkaFailure(local.tlsMismatch, what, { reason })
}

function loginFailure(login: unknown, what: string, cause: unknown): KafkaFailure {
  const name = textIn(login, 'apiId') ?? ''
  const said = textIn(login, 'serverErrorMessage')
  if (name === 'UNSUPPORTED_SASL_MECHANISM') {
    const reason = 'the broker does not offer this SASL mechanism'
    return new KafkaFailure(33, what, { cause, reason })
  }
  if (name === 'ILLEGAL_SASL_STATE') {
    const reason = 'the broker takes no login at this port'
    const hint = 'Leave the login out, or use the port of the listener that takes one.'
    return new KafkaFailure(34, what, { cause, reason, hint })
  }
  const reason = `the login was refused${said === undefined ? '' : `: ${said}`}`
  return new KafkaFailure(kafka.saslAuthenticationFailed, what, { cause, reason })
}

/** The error, what it was caused by, and the errors it gathers. */
function* causes(error: unknown): Generator<unknown> {
  yield error
  if (error instanceof AggregateError) for (const one of error.errors) yield* causes(one)
  if (error instanceof Error && error.cause !== undefined) yield* causes(error.cause)
}

function textIn(error: unknown, name: string): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const value: unknown = Reflect.get(error, name)
  return typeof value === 'string' && value !== '' ? value : undefined
}
