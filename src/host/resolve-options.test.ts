// Options: which source wins, and that every mistake is told, all of them at once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../core/errors.ts'
import type { AppOptions } from './options.ts'
import { checkAppOptions, heartbeatProblems, resolveOptions } from './resolve-options.ts'

const app = { id: 'shop' }

/** The text of the error that lists what is wrong. */
function refused(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    assert.ok(hasCode(error, 'TAILRACE_CONFIG_INVALID'), String(error))
    return error.message
  }
  return assert.fail('nothing was refused')
}

test('a flag is stronger than a start, than the environment, than code, than the default', () => {
  const environment = { TAILRACE_COMMIT_INTERVAL: '300ms' }
  const code = { ...app, commitInterval: '400ms' } as const
  const start = { commitInterval: 200 }
  const flags = { commitInterval: '100' }
  const intervals = [
    resolveOptions({ app: code, start, flags, environment }),
    resolveOptions({ app: code, start, environment }),
    resolveOptions({ app: code, environment }),
    resolveOptions({ app: code, environment: {} }),
    resolveOptions({ app, environment: {} })
  ].map(({ settings }) => settings.commitIntervalMs)
  assert.deepEqual(intervals, [100, 200, 300, 400, 100])
})

test('the defaults are those of the design', () => {
  const options = resolveOptions({ app, environment: {} })
  assert.equal(options.broker, 'embedded:./.tailrace/log')
  assert.equal(options.isBrokerDefault, true)
  assert.equal(options.datadir, './.tailrace/data')
  assert.equal(options.store, 'level')
  assert.equal(options.guarantee, 'exactly-once')
  assert.deepEqual(options.web, { host: '127.0.0.1', port: 6066 })
  assert.equal(options.settings.shutdownTimeoutMs, 30_000)
  const weaker = resolveOptions({ app: { ...app, guarantee: 'at-least-once' }, environment: {} })
  assert.equal(weaker.settings.commitIntervalMs, 1_000)
  const memory = resolveOptions({ app: { ...app, broker: 'memory:' }, environment: {} })
  assert.equal(memory.store, 'memory')
})

test('every kind of option is read from the environment', () => {
  const { logLevel, settings, web } = resolveOptions({
    app,
    environment: {
      TAILRACE_CACHE_BYTES_MAX: '32MiB',
      TAILRACE_QUEUE_RECORDS_MAX: '500',
      TAILRACE_STALL_TIMEOUT: '2m',
      TAILRACE_OFFSET_RESET: 'latest',
      TAILRACE_WEB_PORT: '0',
      TAILRACE_WEB_HOST: '::1',
      TAILRACE_LOG_LEVEL: 'warn',
      PATH: '/bin'
    }
  })
  assert.equal(settings.cacheBytesMax, 32 * 1_048_576)
  assert.equal(settings.queueRecordsMax, 500)
  assert.equal(settings.stallTimeoutMs, 120_000)
  assert.equal(settings.offsetReset, 'latest')
  assert.deepEqual(web, { host: '::1', port: 0 })
  assert.equal(logLevel, 'warn')
})

test('a swarm: what is given, in every place, and what is not', () => {
  const { selection, swarm } = resolveOptions({
    app: {
      ...app,
      includeAgents: ['a', 'b'],
      swarm: { nodes: 3, limits: { memory: '1GB', heap: 80 }, assign: { a: { 0: [0], 1: [1] } } }
    },
    flags: { 'swarm.nodes': 'auto', excludeTopics: 'x, y' },
    environment: { TAILRACE_SWARM_MAX_RESTARTS: '20', TAILRACE_SWARM_LIMITS_POLL: '1m' }
  })
  assert.equal(swarm.nodes, 'auto')
  assert.equal(swarm.maxRestarts, 20)
  assert.deepEqual(swarm.assign, { a: { 0: [0], 1: [1] } })
  assert.deepEqual(
    [swarm.limits.memoryBytes, swarm.limits.heapPercent, swarm.limits.pollMs],
    [1e9, 80, 60_000]
  )
  assert.deepEqual(
    [selection.includeAgents, selection.excludeTopics],
    [
      ['a', 'b'],
      ['x', 'y']
    ]
  )
  const preset = resolveOptions({ app, environment: {} }).swarm
  const { bootTimeoutMs, healthTimeoutMs, maxRestarts, nodes, shutdownTimeoutMs } = preset
  assert.deepEqual(
    { bootTimeoutMs, healthTimeoutMs, maxRestarts, nodes, shutdownTimeoutMs },
    {
      bootTimeoutMs: 60_000,
      healthTimeoutMs: 60_000,
      maxRestarts: 10,
      nodes: 'auto',
      shutdownTimeoutMs: 60_000
    }
  )
})

test('a swarm: defaults give way to what is written, and only that contradicts', () => {
  const swarmOf = (swarm: AppOptions['swarm'], more = {}): typeof preset =>
    resolveOptions({ app: { ...app, swarm: swarm ?? {}, ...more }, environment: {} }).swarm
  const preset = resolveOptions({ app, environment: {} }).swarm
  assert.equal(swarmOf({ healthInterval: '1m' }).healthTimeoutMs, 180_000)
  assert.equal(swarmOf({ healthTimeout: '9s' }).healthIntervalMs, 3_000)
  assert.equal(swarmOf({ restartDelay: '2m' }).restartDelayMaxMs, 120_000)
  assert.equal(swarmOf({}, { shutdownTimeout: '3m' }).shutdownTimeoutMs, 180_000)
  assert.equal(swarmOf({}, { static: true }).bootTimeoutMs, 40_000, 'back within the session')
  const said = (swarm: AppOptions['swarm'], more = {}): string =>
    refused(() => swarmOf(swarm, more))
  assert.match(
    said({ healthInterval: '6s', healthTimeout: '10s' }),
    /createApp\(\{ swarm: \{ healthInterval \} \}\): is 6s; expected at most half/
  )
  assert.match(said({ restartDelay: '5s', restartDelayMax: '1s' }), /restartDelay.*at most/)
  assert.match(said({ shutdownTimeout: '1s' }, { shutdownTimeout: '2s' }), /would be killed/)
  assert.match(said({ bootTimeout: '1m' }, { static: true }), /are 1m 5s together/)
  assert.match(said({ limits: { heap: 101 } }), /swarm: \{ limits: \{ heap \} \}.*from 1 to 100/)
  assert.match(said({ nodes: 0 }), /swarm: \{ nodes \}.*auto, or a whole number from 1/)
})

test('a node stops as long as its swarm waits, unless somebody wrote how long', () => {
  const node = (options: Partial<AppOptions>): number =>
    resolveOptions({ app: { ...app, ...options }, environment: {}, isNode: true }).settings
      .shutdownTimeoutMs
  assert.equal(node({}), 60_000)
  assert.equal(node({ swarm: { shutdownTimeout: '90s' } }), 90_000)
  assert.equal(node({ shutdownTimeout: '10s' }), 10_000)
})

test('web pages: off wins where it is said last, and naming a port turns them on', () => {
  const off = { ...app, web: false } as const
  const environment = { TAILRACE_WEB_PORT: '7000' }
  assert.equal(resolveOptions({ app: off, environment: {} }).web, undefined)
  assert.equal(resolveOptions({ app: off, environment }).web?.port, 7_000)
  assert.equal(resolveOptions({ app, start: { web: false }, environment }).web, undefined)
  const away = { web: false }
  assert.equal(resolveOptions({ app, flags: away, environment }).web, undefined)
  assert.equal(resolveOptions({ app, environment: { TAILRACE_WEB: 'false' } }).web, undefined)
})

test('all problems of all places are told at once: path, value, what was expected', () => {
  const text = refused(() =>
    resolveOptions({
      app: { id: 'shop', comitInterval: 5, taskIdle: '-1s' } as AppOptions,
      start: { web: { prot: 1 } } as object,
      flags: { 'web.port': '99999' },
      environment: { TAILRACE_COMIT_INTERVAL: '5s', TAILRACE_OFFSET_RESET: 'first' }
    })
  )
  assert.match(text, /^TAILRACE_CONFIG_INVALID: the configuration has 6 problems\n/)
  const expected = [
    '--web-port: is "99999"; expected a whole number from 0 to 65535',
    'app.start({ web: { prot } }): is 1, and there is no such option\n' +
      '    fix: Did you mean web.port?',
    'TAILRACE_COMIT_INTERVAL: is "5s", and there is no such option\n' +
      '    fix: Did you mean TAILRACE_COMMIT_INTERVAL?',
    "TAILRACE_OFFSET_RESET: is \"first\"; expected 'earliest' or 'latest'",
    'createApp({ comitInterval }): is 5, and there is no such option\n' +
      '    fix: Did you mean commitInterval?',
    'createApp({ taskIdle }): is "-1s"; expected a duration from 0ms to 1h'
  ]
  for (const line of expected) assert.ok(text.includes(line), `${line}\nnot in\n${text}`)
})

test('the rack of a worker: by flag, environment and code, or none', () => {
  const code = { ...app, rack: 'a' }
  const environment = { TAILRACE_RACK: 'b' }
  const racks = [
    resolveOptions({ app: code, flags: { rack: 'c' }, environment }),
    resolveOptions({ app: code, environment }),
    resolveOptions({ app: code, environment: {} }),
    resolveOptions({ app, environment: {} })
  ].map(({ kafka }) => kafka.rack)
  assert.deepEqual(racks, ['c', 'b', 'a', undefined])
  const text = refused(() => resolveOptions({ app, environment: { TAILRACE_RACK: '' } }))
  assert.match(text, /TAILRACE_RACK: is ""; expected a text that is not empty/)
})

test('copies of internal topics: a number from 1, or -1 for what the log has', () => {
  const factors = [
    resolveOptions({ app, environment: {} }),
    resolveOptions({ app: { ...app, replicationFactor: 3 }, environment: {} }),
    resolveOptions({ app, environment: { TAILRACE_REPLICATION_FACTOR: '-1' } }),
    resolveOptions({ app, flags: { replicationFactor: '2' }, environment: {} })
  ].map(({ settings }) => settings.replicationFactor)
  assert.deepEqual(factors, [-1, 3, -1, 2])
  for (const wrong of [0, -2, 1.5, '3', 40_000]) {
    const text = refused(() =>
      resolveOptions({ app: { ...app, replicationFactor: wrong as number }, environment: {} })
    )
    assert.match(
      text,
      /replicationFactor }\): is .*; expected -1, or a whole number from 1 to 32767/
    )
  }
})

test('names of the environment that are no options are left alone', () => {
  const environment = {
    TAILRACE_APP: 'app.ts',
    TAILRACE_FAILPOINT: 'fetch:1',
    TAILRACE_PEERS: '/peers',
    TAILRACE_TEST_KAFKA: '/kafka',
    TAILRACE_TEST_KAFKA_VERSION: 'oldest'
  }
  assert.equal(resolveOptions({ app, environment }).broker, 'embedded:./.tailrace/log')
})

test('a secret of the environment does not come into the message', () => {
  const text = refused(() =>
    resolveOptions({ app, environment: { TAILRACE_BROKER_PASSWORD: 'hunter2' } })
  )
  assert.ok(!text.includes('hunter2'))
  assert.match(text, /TAILRACE_BROKER_PASSWORD: is \(not shown\)/)
})

test('production refuses what is only for trying out', () => {
  const environment = { NODE_ENV: 'production', TAILRACE_FAILPOINT: 'fetch:1' }
  const text = refused(() => resolveOptions({ app, environment }))
  assert.match(text, /broker: is not set/)
  assert.match(text, /TAILRACE_FAILPOINT: is set/)
  const written = { NODE_ENV: 'production', TAILRACE_BROKER: 'embedded:./.tailrace/log' }
  assert.equal(resolveOptions({ app, environment: written }).isBrokerDefault, false)
})

test('times that contradict each other are refused, and say which', () => {
  const cases: readonly (readonly [options: Partial<AppOptions>, text: RegExp])[] = [
    [{ commitInterval: '40s' }, /commitInterval }\): is 40s; expected less than commitTimeout/],
    [{ commitTimeout: '31s' }, /commitTimeout }\): is 31s; expected at most shutdownTimeout/],
    [{ drainTimeout: '1m' }, /drainTimeout }\): is 1m; expected at most shutdownTimeout/],
    [
      { drainTimeout: '10s', stallTimeout: '10s' },
      /drainTimeout }\): is 10s; expected less than createApp\({ stallTimeout }\)/
    ]
  ]
  for (const [options, text] of cases) {
    assert.match(
      refused(() => resolveOptions({ app: { ...app, ...options }, environment: {} })),
      text
    )
  }
})

const onKafka = { ...app, broker: 'kafka://localhost:9092' } as const

test('on Kafka a session must last long enough, told with all else', () => {
  const times: Partial<AppOptions> = {
    sessionTimeout: '5s',
    stallTimeout: '2s',
    shutdownTimeout: '1m',
    commitTimeout: '32s',
    drainTimeout: '1s'
  }
  const environment = { TAILRACE_HEARTBEAT: '5s', TAILRACE_TASK_IDLE: 'long' }
  const broken = { ...onKafka, ...times, comitInterval: 5 } as AppOptions
  const text = refused(() => resolveOptions({ app: broken, environment }))
  assert.match(text, /has 3 problems\n/)
  const expected = [
    'TAILRACE_HEARTBEAT: is 5s; expected less than createApp({ sessionTimeout }), which is 5s\n' +
      '    fix: Lower one, or raise `sessionTimeout`.',
    'TAILRACE_TASK_IDLE: is "long"; expected a duration',
    'createApp({ comitInterval }): is 5, and there is no such option'
  ]
  for (const line of expected) assert.ok(text.includes(line), `${line}\nnot in\n${text}`)

  // It is not asked of a log that has no such session.
  const weaker = { ...onKafka, ...times, guarantee: 'at-least-once', heartbeat: 1_000 } as const
  resolveOptions({ app: weaker, environment: {} })
  const embedded = { ...app, ...times, broker: 'embedded:log', heartbeat: '5s' } as const
  resolveOptions({ app: embedded, environment: {} })
  const upper = { ...onKafka, heartbeat: '50s', broker: 'KAFKA://localhost:9092' } as const
  assert.match(
    refused(() => resolveOptions({ app: upper, environment: {} })),
    /heartbeat }\): is 50s; expected less than sessionTimeout \(default\), which is 45s/
  )
})

test('on Kafka too only what somebody wrote can contradict', () => {
  for (const short of [
    { sessionTimeout: '1s' },
    { stallTimeout: '1s' },
    { shutdownTimeout: '10m' },
    { sessionTimeout: '1s', stallTimeout: '1s', shutdownTimeout: '1s' }
  ] as const) {
    resolveOptions({ app: { ...onKafka, ...short }, environment: {} })
  }
})

test('a default gives way to what somebody wrote', () => {
  const { settings } = resolveOptions({
    app: { ...app, shutdownTimeout: '5s', stallTimeout: '2s' },
    environment: {}
  })
  assert.equal(settings.commitTimeoutMs, 5_000)
  assert.equal(settings.drainTimeoutMs, 1_000)
})

test('a transport must beat more often than its session lasts', () => {
  assert.deepEqual(heartbeatProblems({ heartbeatMs: 200, sessionTimeoutMs: 3_000 }), [])
  assert.equal(heartbeatProblems({ heartbeatMs: 3_000, sessionTimeoutMs: 3_000 }).length, 1)
})

test('a createApp that is refused tells what is wrong with the environment too', () => {
  const environment = { TAILRACE_COMIT_INTERVAL: '5s' }
  checkAppOptions({ id: 'shop' }, environment)
  const text = refused(() => checkAppOptions({ id: 'shop', borker: 'x' } as never, environment))
  assert.match(text, /2 problems\n.*borker[^]*TAILRACE_COMIT_INTERVAL: is "5s"/)
})

test('createApp looks at what code says, at once', () => {
  checkAppOptions({ id: 'shop', broker: 'memory:', web: { port: 0 }, store: 'memory' }, {})
  assert.match(
    refused(() => checkAppOptions({ id: 'no/slash' }, {})),
    /createApp\({ id }\): "no\/slash" must be 1 to 200 characters/
  )
  assert.match(
    refused(() => checkAppOptions({ borker: 'memory:' } as never, {})),
    /2 problems\n.*must name the app: a text\n.*there is no such option\n.*Did you mean broker\?/
  )
  assert.match(
    refused(() => checkAppOptions(undefined as never, {})),
    /needs an object/
  )
  assert.match(
    refused(() => checkAppOptions({ id: 'a', store: 'rocks', codec: 'json' } as never, {})),
    /store }\): is "rocks"; expected 'level', 'memory' or a function[^]*codec/
  )
})
