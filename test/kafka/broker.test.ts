// The brokers of the tests themselves: shared by a run, ended with it, killed and begun again.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaCluster } from '../../scripts/kafka/cluster.ts'
import { run } from '../../scripts/kafka/java.ts'
import { isGone, tryKill } from '../process/gone.ts'
import { javaTool, ownBroker, testBroker } from './broker.ts'

const timeout = 240_000
const topicsTool = 'org.apache.kafka.tools.TopicCommand'

/** A program of `programs/`, and the lines of JSON that it prints. */
function program(t: TestContext, name: string): { child: ChildProcess; lines: Interface } {
  const path = join(import.meta.dirname, 'programs', `${name}.ts`)
  const child = spawn(process.execPath, [path], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, TAILRACE_TEST_KAFKA: undefined }
  })
  t.after(() => child.kill('SIGKILL'))
  return { child, lines: createInterface(child.stdout ?? assert.fail('it has no output')) }
}

async function next<T>(lines: AsyncIterator<string>): Promise<T> {
  const { done, value } = await lines.next()
  assert.ok(done !== true, 'it ended without the line')
  return JSON.parse(value) as T
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + 60_000
  while (!(await holds())) {
    assert.ok(performance.now() < end, `not in time: ${what}`)
    await sleep(50)
  }
}

test('a broker answers, and lets go', { timeout }, async () => {
  await using broker = await testBroker()
  assert.equal(broker.url, `kafka://${broker.host}:${broker.port}`)
  assert.ok(await isListening(broker.port))
})

test('the files of a run share a broker that a killed run does not leave behind', {
  timeout
}, async (t) => {
  const runner = program(t, 'runs-two-files')
  const lines = runner.lines[Symbol.asyncIterator]()
  const first = await next<{ pid: number; servers: string }>(lines)
  const second = await next<{ pid: number; servers: string }>(lines)
  t.after(() => [first, second].map(({ pid }) => tryKill(pid, 'SIGKILL')))
  assert.notEqual(first.pid, second.pid)
  assert.equal(first.servers, second.servers)
  const port = Number(first.servers.split(':')[1])

  tryKill(first.pid, 'SIGKILL')
  assert.ok(await isListening(port), 'it stays for the other')

  runner.child.kill('SIGKILL')
  await until('the broker has ended', async () => !(await isListening(port)))
  const place = join(tmpdir(), `tailrace-kafka-run-${runner.child.pid}`)
  await until('its folder is gone', () => !existsSync(place))
})

test('an own broker ends with a starter that was killed', { timeout }, async (t) => {
  const starter = program(t, 'owns-broker')
  const said = await next<{ broker: number; directory: string }>(
    starter.lines[Symbol.asyncIterator]()
  )
  t.after(() => tryKill(said.broker, 'SIGKILL'))
  assert.ok(existsSync(said.directory))
  starter.child.kill('SIGKILL')
  assert.ok(await isGone(said.broker), 'the broker outlived its starter')
  await until('its folder is gone', () => !existsSync(said.directory))
})

test('a node that was killed comes back with its topics and its port', { timeout }, async () => {
  await using cluster = await ownBroker({ nodes: 3 })
  const servers = ['--bootstrap-server', cluster.servers()]
  await javaTool(topicsTool, [...servers, '--create', '--topic', 'kept', '--partitions', '3'])
  const port = cluster.port('plain', 2)
  const node = cluster.node(2)
  await node.kill()
  assert.equal(node.isRunning, false)
  assert.equal(await isListening(port), false)
  await node.start()
  assert.ok(await isListening(port))
  const { stdout } = await javaTool(topicsTool, [
    ...['--bootstrap-server', `127.0.0.1:${port}`],
    ...['--describe', '--topic', 'kept']
  ])
  assert.match(stdout, /PartitionCount: 3\tReplicationFactor: 3\tConfigs: .*min.insync.replicas=2/)
  await node.stop()
  assert.equal(node.isRunning, false)
})

interface Visitor {
  readonly door: 'plain' | 'sasl' | 'saslTls' | 'tls'
  readonly config: Readonly<Record<string, string>>
  /** What it says when it is refused. */
  readonly refusal?: RegExp
}

const jaas = (module: string, options: string): string =>
  `org.apache.kafka.common.security.${module}LoginModule required ${options};`

function visitors({ certificates }: KafkaCluster): Record<string, Visitor> {
  const trust = {
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': certificates?.ca ?? ''
  }
  const user = (name: string, password: string): string =>
    `username="${name}" password="${password}"`
  const sasl = (mechanism: string, login: string, protocol = 'SASL_PLAINTEXT') => ({
    'security.protocol': protocol,
    'sasl.mechanism': mechanism,
    'sasl.jaas.config': login
  })
  const admin = user('admin', 'admin-secret')
  const plain = jaas('plain.Plain', admin)
  const bearer = jaas('oauthbearer.OAuthBearer', 'unsecuredLoginStringClaim_sub="admin"')
  return {
    'the plain door': { door: 'plain', config: {} },
    PLAIN: { door: 'sasl', config: sasl('PLAIN', plain) },
    'SCRAM-SHA-256': {
      door: 'sasl',
      config: sasl('SCRAM-SHA-256', jaas('scram.Scram', admin))
    },
    'SCRAM-SHA-512 over TLS': {
      door: 'saslTls',
      config: { ...sasl('SCRAM-SHA-512', jaas('scram.Scram', admin), 'SASL_SSL'), ...trust }
    },
    OAUTHBEARER: { door: 'sasl', config: sasl('OAUTHBEARER', bearer) },
    'a wrong password': {
      door: 'sasl',
      config: sasl('PLAIN', jaas('plain.Plain', user('admin', 'guess'))),
      refusal: /Authentication failed: Invalid username or password/
    },
    'a user without rights': {
      door: 'sasl',
      config: sasl('PLAIN', jaas('plain.Plain', user('alice', 'alice-secret'))),
      refusal: /Authorization failed/
    },
    'TLS without its CA': {
      door: 'tls',
      config: { 'security.protocol': 'SSL' },
      refusal: /SSL handshake failed/
    }
  }
}

test('each door lets in whom it should', { timeout }, async (t) => {
  await using cluster = await ownBroker({ doors: ['sasl', 'saslTls', 'tls'], hasAcls: true })
  for (const [who, { config, door, refusal }] of Object.entries(visitors(cluster))) {
    await t.test(who, async () => {
      const topic = `of-${who.replaceAll(/\W+/g, '-')}`
      const file = join(cluster.directory, `${topic}.properties`)
      const settings = Object.entries(config).map(([name, value]) => `${name}=${value}\n`)
      writeFileSync(file, settings.join(''))
      const { code, stdout } = await javaTool(
        topicsTool,
        [
          ...['--bootstrap-server', cluster.servers(door)],
          ...['--command-config', file],
          ...['--create', '--topic', topic]
        ],
        { isExitCodeChecked: refusal === undefined }
      )
      if (refusal === undefined) assert.match(stdout, /Created topic/)
      else {
        assert.notEqual(code, 0)
        assert.match(stdout, refusal)
      }
    })
  }
})

test('a broker that is named and not there is said so', { timeout }, async (t) => {
  const before = process.env['TAILRACE_TEST_KAFKA']
  t.after(() => {
    if (before === undefined) delete process.env['TAILRACE_TEST_KAFKA']
    else process.env['TAILRACE_TEST_KAFKA'] = before
  })
  process.env['TAILRACE_TEST_KAFKA'] = '127.0.0.1:1'
  await assert.rejects(testBroker(), {
    message:
      'TAILRACE_TEST_KAFKA names 127.0.0.1:1, and nobody answers there: start that broker, ' +
      'or unset it to have one started'
  })
})

test('a machine without Java is told what to install', async () => {
  await assert.rejects(run('java-of-nobody', []), {
    message:
      'a Kafka broker for tests needs `java-of-nobody`, which was not found: install a JDK of ' +
      '17 or newer and Maven (Debian: apt-get install openjdk-17-jdk-headless maven), or name a ' +
      'broker of your own: TAILRACE_TEST_KAFKA=host:port'
  })
})
