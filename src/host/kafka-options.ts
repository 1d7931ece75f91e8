// The options that only Kafka has: who we are to its brokers, whom we trust, and how long we last.
import type { OptionSpec } from './option-spec.ts'

const day = 86_400_000

function text(path: string, doc: string, preset: string = 'none'): OptionSpec {
  return { path, kind: { type: 'text' }, default: preset, doc }
}

export const kafkaOptions: readonly OptionSpec[] = [
  {
    path: 'sasl.mechanism',
    kind: { type: 'choice', of: ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'] },
    default: 'plain where a user is named, oauthbearer where a token is',
    doc: 'Kafka: how a worker logs in.'
  },
  text('sasl.username', 'Kafka: the user, unless the broker URL names one.'),
  text('sasl.password', 'Kafka: the password of the user; never printed.'),
  text('sasl.token', 'Kafka: the token of `oauthbearer`; never printed.'),
  text('sasl.tokenFile', 'Kafka: instead of `sasl.token`, a file that is read at every login.'),
  {
    path: 'tls',
    kind: { type: 'switch' },
    default: 'false; true where one of `tls.…` is given',
    doc: 'Kafka: whether connections are encrypted, and the certificates of brokers checked.'
  },
  text(
    'tls.ca',
    'Kafka: certificates of the authorities to trust: a file, or PEM text.',
    'those that Node trusts'
  ),
  text('tls.cert', 'Kafka: our own certificate, for brokers that ask for one: likewise.'),
  text('tls.key', 'Kafka: the key of `tls.cert`: likewise.'),
  text('tls.keyPassword', 'Kafka: the password of `tls.key`; never printed.'),
  {
    path: 'replicationFactor',
    kind: { type: 'count', min: 1, max: 32_767, also: -1 },
    default: '-1: what the brokers have as `default.replication.factor`',
    doc:
      'Kafka: copies of each topic that the app makes for itself: changelogs, repartition ' +
      'topics, dead letters. A declared topic says its `replication`.',
    flag: '--replication-factor',
    setting: 'replicationFactor'
  },
  {
    path: 'sessionTimeout',
    kind: { type: 'duration', min: 1_000, max: day },
    default: '45s',
    doc: 'Kafka: a worker that is silent for longer has left; the brokers limit it too.'
  },
  {
    path: 'heartbeat',
    kind: { type: 'duration', min: 50, max: day },
    default: '3s, or a third of `sessionTimeout` where that is shorter',
    doc: 'Kafka: time between two signs of life.'
  },
  {
    ...text(
      'instanceId',
      'Kafka: makes a worker a static member under this name, its own among the workers of the ' +
        'app: a restart within `sessionTimeout` moves nothing.',
      'none: a worker that stops leaves its group'
    ),
    flag: '--instance-id'
  },
  {
    path: 'static',
    kind: { type: 'switch' },
    default: 'false; true where `instanceId` is given',
    doc: 'Kafka: a static member named `<host>-worker-N` by its host and data directory.',
    flag: '--static'
  },
  {
    ...text(
      'rack',
      'Kafka: where this worker runs, in the words of `broker.rack`: a replica of there is read ' +
        'from instead of the leader, where the brokers choose so (KIP-392).',
      'none: leaders are read from'
    ),
    flag: '--rack'
  }
]
