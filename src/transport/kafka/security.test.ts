// Tests of what a connection is opened with: what is missing or unusable is told before.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Problem } from '../../core/problems.ts'
import { readCredentials, securityOf } from './security.ts'

const directory = mkdtempSync(join(tmpdir(), 'tailrace-security-'))
after(() => rmSync(directory, { recursive: true, force: true }))

function read(given: Parameters<typeof readCredentials>[0]) {
  const problems: Problem[] = []
  const credentials = readCredentials(given, problems)
  return { credentials, problems: problems.map(({ path, message }) => `${path} ${message}`) }
}

test('without a login and TLS there is neither', () => {
  const { credentials, problems } = read({ sasl: {}, tls: false })
  assert.deepEqual(problems, [])
  assert.deepEqual(securityOf(credentials), { tls: undefined, sasl: undefined })
})

test('the mechanism follows from what is given, and `sasl` is stronger than the URL', () => {
  const login = { username: 'url', password: 'url' }
  const { credentials } = read({ ...login, sasl: { username: 'me' } })
  assert.deepEqual(securityOf(credentials).sasl, {
    mechanism: 'PLAIN',
    username: 'me',
    password: 'url'
  })
  assert.equal(read({ sasl: { token: 't' } }).credentials.sasl?.mechanism, 'oauthbearer')
})

test('what a mechanism needs and was not given is named', () => {
  assert.deepEqual(read({ sasl: { mechanism: 'scram-sha-256', username: 'me' } }).problems, [
    'sasl.password is missing; the mechanism scram-sha-256 logs in with a user name and a password'
  ])
  assert.deepEqual(read({ sasl: { mechanism: 'oauthbearer' } }).problems, [
    'sasl.token is missing; the mechanism oauthbearer logs in with a token'
  ])
})

test('a token file is read again at every login', async () => {
  const tokenFile = join(directory, 'token')
  writeFileSync(tokenFile, 'first\n')
  const { credentials, problems } = read({ sasl: { tokenFile } })
  assert.deepEqual(problems, [])
  const token = securityOf(credentials).sasl?.token
  assert.ok(typeof token === 'function')
  assert.equal(await token(), 'first')
  writeFileSync(tokenFile, 'second\n')
  assert.equal(await token(), 'second')
})

test('files that are missing or hold no certificate are named, keys never', () => {
  const empty = join(directory, 'empty')
  writeFileSync(empty, 'nothing')
  assert.match(
    read({ tls: { ca: '/nowhere/ca.pem' } }).problems.join(),
    /ENOENT.*\/nowhere\/ca.pem/
  )
  assert.match(read({ tls: { ca: empty } }).problems.join(), /tls.ca holds no PEM text/)
  assert.match(read({ tls: { cert: empty } }).problems.join(), /tls.key is missing/)
  const secret = 'MIIE'.repeat(100)
  assert.doesNotMatch(read({ tls: { cert: empty, key: secret } }).problems.join(), /MIIE/)
})

test('a PEM text that holds no certificate is refused at start', () => {
  const ca = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
  assert.match(read({ tls: { ca } }).problems.join(), /tls.ca cannot be used/)
})
