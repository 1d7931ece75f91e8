// Ways into a broker: every mechanism and door, and each refusal told for what it is.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { type ErrorCode, hasCode } from 'tailrace'
import type { KafkaCluster } from '../../scripts/kafka/cluster.ts'
import { createKafkaTransport, type KafkaOptions } from '../../src/transport/kafka/index.ts'
import { ownBroker } from './broker.ts'
import { ownName } from './member.ts'
import { unsecuredToken } from './tokens.ts'

const timeout = 120_000
let cluster: KafkaCluster
before(
  async () => {
    cluster = await ownBroker({
      doors: ['sasl', 'saslTls', 'tls'],
      // The others ask for none.
      config: { 'listener.name.tls.ssl.client.auth': 'required' }
    })
  },
  { timeout }
)
after(() => cluster.stop())

type Way = Omit<KafkaOptions, 'url'>
type Door = 'plain' | 'sasl' | 'saslTls' | 'tls'

const alice = { username: 'alice', password: 'alice-secret' }
const guess = { username: 'alice', password: 'guess' }

/** Paths of the certificates; each test needs them only once the broker is there. */
const pem = (): NonNullable<KafkaCluster['certificates']> => cluster.certificates ?? assert.fail()
const trusting = (): { ca: string } => ({ ca: pem().ca })

async function enter(door: Door, way: Way): Promise<void> {
  const transport = createKafkaTransport({ url: cluster.url(door), ...way })
  try {
    await transport.open()
    await transport.admin().describe([ownName('none')])
    const coordinator = await transport.coordinator()
    await coordinator.close()
  } finally {
    await transport.close()
  }
}

const welcome: Readonly<Record<string, readonly [Door, () => Way]>> = {
  PLAIN: ['sasl', () => ({ sasl: alice })],
  'SCRAM-SHA-256': ['sasl', () => ({ sasl: { mechanism: 'scram-sha-256', ...alice } })],
  'SCRAM-SHA-512': ['sasl', () => ({ sasl: { mechanism: 'scram-sha-512', ...alice } })],
  OAUTHBEARER: ['sasl', () => ({ sasl: { token: unsecuredToken('alice') } })],
  'PLAIN over TLS': ['saslTls', () => ({ sasl: alice, tls: trusting() })],
  'SCRAM-SHA-512 over TLS': [
    'saslTls',
    () => ({ sasl: { mechanism: 'scram-sha-512', ...alice }, tls: trusting() })
  ],
  'OAUTHBEARER over TLS': [
    'saslTls',
    () => ({ sasl: { token: unsecuredToken('alice') }, tls: trusting() })
  ],
  'a client certificate': [
    'tls',
    () => ({ tls: { ...trusting(), cert: pem().client, key: pem().clientKey } })
  ],
  'certificates as text': [
    'tls',
    () => ({
      tls: {
        ca: readFileSync(pem().ca, 'utf8'),
        cert: readFileSync(pem().client, 'utf8'),
        key: readFileSync(pem().clientKey, 'utf8')
      }
    })
  ]
}

for (const [name, [door, way]] of Object.entries(welcome)) {
  test(`${name} lets in`, { timeout }, () => enter(door, way()))
}

interface Refusal {
  readonly door: Door
  readonly way: () => Way
  readonly code: ErrorCode
  readonly says: RegExp
  readonly hint: RegExp
}

const login = /SASL mechanism, the user name and the password/
const otherPort = /Turn TLS on or off, or use the port/

const refusals: Readonly<Record<string, Refusal>> = {
  'a wrong password': {
    door: 'sasl',
    way: () => ({ sasl: guess }),
    code: 'TAILRACE_TRANSPORT_AUTHENTICATION',
    says: /127\.0\.0\.1:\d+: the login was refused: .*Invalid username or password/,
    hint: login
  },
  'a wrong password by SCRAM': {
    door: 'sasl',
    way: () => ({ sasl: { mechanism: 'scram-sha-512', ...guess } }),
    code: 'TAILRACE_TRANSPORT_AUTHENTICATION',
    says: /the login was refused: .*invalid credentials/,
    hint: login
  },
  'a user nobody knows': {
    door: 'saslTls',
    way: () => ({ sasl: { username: 'eve', password: 'eve' }, tls: trusting() }),
    code: 'TAILRACE_TRANSPORT_AUTHENTICATION',
    says: /the login was refused/,
    hint: login
  },
  'a token that has expired': {
    door: 'sasl',
    way: () => ({ sasl: { token: unsecuredToken('alice', -10) } }),
    code: 'TAILRACE_TRANSPORT_AUTHENTICATION',
    says: /the login was refused: invalid_token/,
    hint: login
  },
  'no login where one is asked for': {
    door: 'sasl',
    way: () => ({}),
    code: 'TAILRACE_TRANSPORT_AUTHENTICATION',
    says: /hung up on a request without a login/,
    hint: login
  },
  'a login where none is taken': {
    door: 'plain',
    way: () => ({ sasl: alice }),
    code: 'TAILRACE_TRANSPORT_AUTHENTICATION',
    says: /takes no login at this port/,
    hint: /Leave the login out/
  },
  'an authority that is not known': {
    door: 'saslTls',
    way: () => ({ sasl: alice, tls: { ca: pem().otherCa } }),
    code: 'TAILRACE_TRANSPORT_CERTIFICATE',
    says: /its certificate is not trusted: self-signed certificate/,
    hint: /Name the CA/
  },
  'an authority that is not named': {
    door: 'saslTls',
    way: () => ({ sasl: alice, tls: true }),
    code: 'TAILRACE_TRANSPORT_CERTIFICATE',
    says: /its certificate is not trusted/,
    hint: /Name the CA/
  },
  'no certificate where one is asked for': {
    door: 'tls',
    way: () => ({ tls: trusting() }),
    code: 'TAILRACE_TRANSPORT_CERTIFICATE',
    says: /refused our certificate, or asks for one/,
    hint: /tls\.cert/
  },
  'a certificate of a stranger': {
    door: 'tls',
    way: () => ({ tls: { ...trusting(), cert: pem().stranger, key: pem().strangerKey } }),
    code: 'TAILRACE_TRANSPORT_CERTIFICATE',
    says: /refused our certificate/,
    hint: /tls\.cert/
  },
  'plain text to TLS': {
    door: 'tls',
    way: () => ({}),
    code: 'TAILRACE_TRANSPORT_TLS',
    says: /speaks TLS at this port, and TLS is not on/,
    hint: otherPort
  },
  'a login in plain text to TLS': {
    door: 'saslTls',
    way: () => ({ sasl: alice }),
    code: 'TAILRACE_TRANSPORT_TLS',
    says: /speaks TLS at this port, and TLS is not on/,
    hint: otherPort
  },
  'TLS to plain text': {
    door: 'plain',
    way: () => ({ tls: trusting() }),
    code: 'TAILRACE_TRANSPORT_TLS',
    says: /TLS is on, and the broker does not speak it at this port/,
    hint: otherPort
  },
  'TLS to a login in plain text': {
    door: 'sasl',
    way: () => ({ sasl: alice, tls: trusting() }),
    code: 'TAILRACE_TRANSPORT_TLS',
    says: /TLS is on, and the broker does not speak it at this port/,
    hint: otherPort
  }
}

for (const [name, { code, door, hint, says, way }] of Object.entries(refusals)) {
  test(`${name} is refused as ${code}, at once`, { timeout }, async () => {
    const begin = performance.now()
    await assert.rejects(enter(door, way()), (error) => {
      assert.ok(hasCode(error, code), String(error))
      assert.match(error.message, says)
      assert.match(error.hint, hint)
      assert.doesNotMatch(error.message, /alice-secret|guess/)
      return true
    })
    // A broker that is not there is said within 5 s; what answers is no slower.
    assert.ok(performance.now() - begin < 5_000)
  })
}

test('a port where nobody listens is named within 5 s', { timeout }, async () => {
  const transport = createKafkaTransport({ url: 'kafka://127.0.0.1:1', sasl: alice })
  await assert.rejects(transport.open(), (error) => {
    assert.ok(hasCode(error, 'TAILRACE_TRANSPORT_UNAVAILABLE'), String(error))
    assert.match(error.message, /127\.0\.0\.1:1: connect ECONNREFUSED/)
    assert.match(error.hint, /host and port of `broker`/)
    return true
  })
  await transport.close()
})
