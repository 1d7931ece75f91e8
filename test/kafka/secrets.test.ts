// Secrets stay secret: they are planted wherever one can be given, and looked for in all that a
// worker, a command and a page ever say.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { createApp } from 'tailrace'
import type { KafkaCluster } from '../../scripts/kafka/cluster.ts'
import { createKafkaTransport } from '../../src/transport/kafka/index.ts'
import { root } from '../house/source.ts'
import { ownBroker } from './broker.ts'
import { ownName } from './member.ts'
import { unsecuredToken } from './tokens.ts'

const timeout = 180_000
const planted = 'Xplanted7Secret'
const users = { admin: 'admin-secret', alice: planted }
const directory = mkdtempSync(join(tmpdir(), 'tailrace-secrets-'))

let cluster: KafkaCluster
before(
  async () => {
    cluster = await ownBroker({ doors: ['sasl', 'saslTls', 'tls'], users })
  },
  { timeout }
)
after(async () => {
  await cluster.stop()
  rmSync(directory, { recursive: true, force: true })
})

interface Said {
  readonly child: ChildProcess
  text: string
  /** The exit code. */
  readonly ended: Promise<number>
}

type Environment = Readonly<Record<string, string>>

function tailrace(t: TestContext, args: readonly string[], environment: Environment): Said {
  const app = join(import.meta.dirname, 'programs', 'secured-app.ts')
  const program = join(root, 'bin', 'tailrace.js')
  const child = spawn(process.execPath, [program, '-A', app, ...args], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', HOME: directory, ...environment }
  })
  t.after(() => child.kill('SIGKILL'))
  const ended = once(child, 'close').then(([code]) => Number(code))
  const said: Said = { child, text: '', ended }
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (bytes: Buffer) => (said.text += bytes.toString()))
  }
  return said
}

async function saw(said: Said, what: RegExp): Promise<RegExpExecArray> {
  const end = performance.now() + 60_000
  for (;;) {
    const found = what.exec(said.text)
    if (found !== null) return found
    assert.ok(performance.now() < end && said.child.exitCode === null, `no ${what}:\n${said.text}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Plain, and as encodings would hide it. */
function checkClean(text: string, secrets: readonly string[] = [planted]): void {
  for (const secret of secrets) {
    const forms = [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64').replaceAll('=', ''),
      Buffer.from(secret).toString('hex'),
      [...Buffer.from(secret)].join(',')
    ]
    const told = forms.find((form) => text.includes(form))
    assert.equal(told, undefined, `a secret was told:\n${text}`)
  }
}

async function send(topic: string, count: number): Promise<void> {
  const transport = createKafkaTransport({ url: cluster.url() })
  await transport.open()
  const producer = await transport.producer()
  const [key, value] = [Buffer.from('a'), Buffer.from('1')]
  for (let sent = 0; sent < count; sent++) {
    await producer.send({ topic, partition: 0, key, value, timestamp: Date.now() })
  }
  await producer.close()
  await transport.close()
}

/** A topic that is not as the app would make it. */
async function makeOtherwise(name: string): Promise<void> {
  const transport = createKafkaTransport({ url: cluster.url() })
  await transport.open()
  const settings = {
    cleanupPolicy: 'delete',
    retentionMs: 3_600_000,
    timestampType: 'create',
    extra: {}
  } as const
  await transport.admin().create([{ name, partitions: 1, replication: 1, settings }])
  await transport.close()
}

const overTls = (): Environment => ({
  TAILRACE_BROKER: cluster.url('saslTls'),
  TAILRACE_TLS_CA: cluster.certificates?.ca ?? ''
})

const inUrl = (door: 'sasl' | 'saslTls', password = planted): string =>
  cluster.url(door).replace('//', `//alice:${password}@`)

test('a worker and its pages: report, log, status, dump, failure', { timeout }, async (t) => {
  const id = ownName('secured')
  const environment = {
    ...overTls(),
    SECURED_APP: id,
    TAILRACE_SASL_USERNAME: 'alice',
    TAILRACE_SASL_PASSWORD: planted,
    TAILRACE_SASL_MECHANISM: 'scram-sha-512'
  }
  const worker = tailrace(t, ['worker', '--json', '--web-port', '0'], environment)
  const [, url = ''] = await saw(worker, /"web":"(http[^"]+)"/)
  const pages = await Promise.all(
    ['/', '/status', '/live', '/ready', '/broken/', '/none'].map(async (path) =>
      (await fetch(new URL(path, url))).text()
    )
  )
  worker.child.kill('SIGUSR1')
  const commands = [
    ['send', `${id}-in`, '1', '-k', 'a', '--json'],
    ['tables', '--json'],
    ['topology', '--json']
  ].map((args) => tailrace(t, args, environment))
  for (const said of commands) {
    assert.equal(await said.ended, 0, said.text)
    checkClean(said.text)
  }
  await send(`${id}-in`, 2)
  // The third of a key fails, and ends the worker: all of its log is there to be read.
  assert.equal(await worker.ended, 1)
  assert.match(worker.text, /three is too many/)
  checkClean(worker.text)
  for (const page of pages) checkClean(page)
})

test('a login in the URL', { timeout }, async (t) => {
  const id = ownName('secured')
  const environment = { ...overTls(), TAILRACE_BROKER: inUrl('saslTls'), SECURED_APP: id }
  const worker = tailrace(t, ['worker', '--web-port', '0'], environment)
  await saw(worker, /web +http/)
  assert.match(worker.text, /broker +kafka:\/\/127/)
  worker.child.kill('SIGTERM')
  assert.equal(await worker.ended, 0)
  checkClean(worker.text)
})

test('the plan of topics: what is missing, what differs, what is refused', {
  timeout
}, async (t) => {
  const { certificates } = cluster
  const pem = readFileSync(certificates?.clientKey ?? '', 'utf8')
  const body = pem.split('\n')[1] ?? assert.fail()
  const lock = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: planted } as const
  const locked = String(createPrivateKey(pem).export(lock))
  const lockedBody = locked.split('\n')[1] ?? assert.fail()
  const logins: Readonly<Record<string, Environment>> = {
    'a password': {
      ...overTls(),
      TAILRACE_SASL_USERNAME: 'alice',
      TAILRACE_SASL_PASSWORD: planted,
      TAILRACE_SASL_MECHANISM: 'scram-sha-512'
    },
    'a password in the URL': { TAILRACE_BROKER: inUrl('sasl') },
    'a key and its password': {
      TAILRACE_BROKER: cluster.url('tls'),
      TAILRACE_TLS_CA: certificates?.ca ?? '',
      TAILRACE_TLS_CERT: certificates?.client ?? '',
      TAILRACE_TLS_KEY: locked,
      TAILRACE_TLS_KEY_PASSWORD: planted
    }
  }
  const secrets = [planted, body, lockedBody]
  for (const [what, login] of Object.entries(logins)) {
    const id = ownName('secured')
    await makeOtherwise(`${id}-in`)
    const answers = [
      ['topics', '--plan'],
      ['topics', '--plan', '--json'],
      ['topics', '--json']
    ]
    const all = answers.map((args) => tailrace(t, args, { ...login, SECURED_APP: id }))
    for (const said of all) {
      assert.equal(await said.ended, 0, `${what}: ${said.text}`)
      // It is the plan, and not an error that would be clean as well.
      assert.match(said.text, /differs/, what)
      assert.match(said.text, /would be created|"state":"missing"/, what)
      checkClean(said.text, secrets)
    }
  }
  const refusals: readonly Environment[] = [
    { ...overTls(), TAILRACE_SASL_USERNAME: 'admin', TAILRACE_SASL_PASSWORD: planted },
    { TAILRACE_BROKER: inUrl('sasl', `${planted}/%`) },
    { ...logins['a key and its password'], TAILRACE_TLS_CERT: locked },
    { TAILRACE_BROKER: `kafka://alice:${planted}@127.0.0.1:1` }
  ]
  const all = refusals.flatMap((environment) =>
    [[], ['--json']].map((format) => tailrace(t, ['topics', '--plan', ...format], environment))
  )
  for (const said of all) {
    assert.ok([1, 64].includes(await said.ended), said.text)
    assert.match(said.text, /TAILRACE_[A-Z_]+/)
    checkClean(said.text, secrets)
  }
})

test('whatever a start is refused for', { timeout }, async (t) => {
  const { certificates } = cluster
  const token = unsecuredToken(planted, -10)
  const key = readFileSync(certificates?.clientKey ?? '', 'utf8')
  const lock = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'other' } as const
  const locked = String(createPrivateKey(key).export(lock))
  const body = key.split('\n')[1] ?? assert.fail()
  const tls = {
    TAILRACE_BROKER: cluster.url('tls'),
    TAILRACE_TLS_CA: certificates?.ca ?? '',
    TAILRACE_TLS_CERT: certificates?.client ?? ''
  }
  const sasl = { TAILRACE_BROKER: cluster.url('sasl') }
  const refusals: Readonly<Record<string, Environment>> = {
    'a wrong password': {
      ...sasl,
      TAILRACE_SASL_USERNAME: 'admin',
      TAILRACE_SASL_PASSWORD: planted
    },
    'a wrong password in the URL': {
      TAILRACE_BROKER: inUrl('sasl').replace('alice', 'admin')
    },
    'a login that cannot be read': { TAILRACE_BROKER: inUrl('sasl', `${planted}/%`) },
    'a login without a host': { TAILRACE_BROKER: `kafka://alice:${planted}` },
    'another scheme': { TAILRACE_BROKER: inUrl('sasl').replace('kafka:', 'kafak:') },
    'a refused token': { ...sasl, TAILRACE_SASL_TOKEN: token },
    'a token in place of a password': {
      ...sasl,
      TAILRACE_SASL_MECHANISM: 'plain',
      TAILRACE_SASL_TOKEN: planted
    },
    'a misspelled option': { ...sasl, TAILRACE_SASL_PASWORD: planted, TAILRACE_SASL_PWD: planted },
    'a wrong key password': {
      ...tls,
      TAILRACE_TLS_KEY: locked,
      TAILRACE_TLS_KEY_PASSWORD: planted
    },
    'a key for a certificate': { ...tls, TAILRACE_TLS_CERT: key, TAILRACE_TLS_KEY: key },
    'a key as the name of a file': { ...tls, TAILRACE_TLS_KEY: key.replaceAll('-----', '') },
    'nobody there': { TAILRACE_BROKER: `kafka://alice:${planted}@127.0.0.1:1` }
  }
  const all = Object.entries(refusals)
  const outcomes = await Promise.all(
    all.map(async ([what, environment], index) => {
      const format = index % 2 === 0 ? [] : ['--json']
      const said = tailrace(t, ['worker', ...format], environment)
      return { what, code: await said.ended, text: said.text }
    })
  )
  for (const { code, text, what } of outcomes) {
    assert.ok(code === 1 || code === 64, `${what}: exit code ${code}`)
    assert.match(text, /TAILRACE_[A-Z_]+/, what)
    checkClean(text, [planted, token, body])
  }
})

test('options of the wrong type', () => {
  const wrong: readonly object[] = [
    { sasl: `alice:${planted}` },
    { sasl: { username: 'alice', pwd: planted } },
    { sasl: { password: [planted] } },
    { sasl: { mechanism: 'plain', token: { value: planted } } },
    { broker: [`kafka://alice:${planted}@localhost:9092`] },
    { tls: `-----BEGIN PRIVATE KEY-----\n${planted}` },
    { tls: { key: Buffer.from(planted) } }
  ]
  for (const options of wrong) {
    assert.throws(
      () => createApp({ id: 'wrong', ...options }),
      (error) => {
        assert.ok(error instanceof Error && 'code' in error, JSON.stringify(options))
        assert.equal(error.code, 'TAILRACE_CONFIG_INVALID')
        checkClean(error.message)
        return true
      }
    )
  }
})
