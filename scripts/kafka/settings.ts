// The server.properties of a node: small, quick to begin, quick to notice who is gone.
import { join } from 'node:path'
import { type Certificates, storePassword } from './certificates.ts'

/** How clients may come in. `proxied` is plain, and advertises a port that is not the broker's. */
export type Door = 'plain' | 'sasl' | 'saslTls' | 'tls' | 'proxied'

/** Ports of one node: its own, and where it says that it is found. */
export interface NodePorts {
  readonly controller: number
  readonly doors: Readonly<Partial<Record<Door, number>>>
}

export interface NodeSettings {
  readonly id: number
  readonly directory: string
  readonly nodes: readonly NodePorts[]
  readonly users: Readonly<Record<string, string>>
  readonly hasAcls: boolean
  readonly clientCertificates: 'optional' | 'required'
  readonly certificates: Certificates | undefined
  /** What `proxied` advertises. */
  readonly proxyPort: number | undefined
  /** Whatever a test needs otherwise; wins over all that is here. */
  readonly config: Readonly<Record<string, string>>
}

/** Who may do everything when there are ACLs, beside whoever comes in by the plain door. */
export const superUser = 'admin'

const protocols: Readonly<Record<Door, string>> = {
  plain: 'PLAINTEXT',
  sasl: 'SASL_PLAINTEXT',
  saslTls: 'SASL_SSL',
  tls: 'SSL',
  proxied: 'PLAINTEXT'
}

/** A listener's name is its door's, in the case that Kafka wants. */
const nameOf = (door: Door): string => door.toUpperCase()

export function serverProperties(settings: NodeSettings): string {
  const all = {
    ...network(settings),
    ...replication(settings.nodes.length),
    ...pace,
    ...security(settings),
    ...settings.config
  }
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('')
}

function network(settings: NodeSettings): Record<string, string> {
  const { directory, id, nodes, proxyPort } = settings
  const { controller, doors } = nodes[id - 1] as NodePorts
  const entries = Object.entries(doors) as [Door, number][]
  const advertised = entries.map(([door, port]) => {
    const shown = door === 'proxied' ? (proxyPort ?? port) : port
    return `${nameOf(door)}://127.0.0.1:${shown}`
  })
  return {
    'process.roles': 'broker,controller',
    'node.id': `${id}`,
    'controller.quorum.voters': nodes
      .map((node, index) => `${index + 1}@127.0.0.1:${node.controller}`)
      .join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAIN',
    listeners: [
      `CONTROLLER://127.0.0.1:${controller}`,
      ...entries.map(([door, port]) => `${nameOf(door)}://127.0.0.1:${port}`)
    ].join(','),
    'advertised.listeners': advertised.join(','),
    'listener.security.protocol.map': [
      'CONTROLLER:PLAINTEXT',
      ...entries.map(([door]) => `${nameOf(door)}:${protocols[door]}`)
    ].join(','),
    'log.dirs': join(directory, `node-${id}`)
  }
}

function replication(nodeCount: number): Record<string, string> {
  const copies = `${nodeCount}`
  const minIsr = nodeCount > 1 ? '2' : '1'
  return {
    'default.replication.factor': copies,
    'min.insync.replicas': minIsr,
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': minIsr,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': minIsr
  }
}

const pace: Readonly<Record<string, string>> = {
  // A client that makes a topic by accident is a defect that Kafka's default would hide.
  'auto.create.topics.enable': 'false',
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '500',
  // Fifty partitions each by default: what takes the time of the first group and transaction.
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.num.partitions': '4',
  'share.coordinator.state.topic.num.partitions': '1',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
  // By default a broker that was killed is missed after 9 s.
  'broker.session.timeout.ms': '5000',
  'broker.heartbeat.interval.ms': '500',
  // 128 MB by default, of a heap of 384.
  'log.cleaner.dedupe.buffer.size': '4194304',
  'log.cleaner.backoff.ms': '1000',
  'log.segment.delete.delay.ms': '1000',
  'log.initial.task.delay.ms': '1000'
}

function security(settings: NodeSettings): Record<string, string> {
  const { certificates, clientCertificates, hasAcls, nodes, users } = settings
  const doors = Object.keys(nodes[0]?.doors ?? {}) as Door[]
  const all: Record<string, string> = {}
  for (const door of doors) {
    const prefix = `listener.name.${nameOf(door).toLowerCase()}`
    if (door === 'sasl' || door === 'saslTls') Object.assign(all, sasl(prefix, users))
    if (certificates === undefined || (door !== 'tls' && door !== 'saslTls')) continue
    all[`${prefix}.ssl.client.auth`] = clientCertificates === 'required' ? 'required' : 'requested'
    Object.assign(all, tls(prefix, certificates))
  }
  if (hasAcls) {
    all['authorizer.class.name'] = 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'
    all['super.users'] = `User:ANONYMOUS;User:${superUser}`
  }
  return all
}

function sasl(prefix: string, users: Readonly<Record<string, string>>): Record<string, string> {
  const accounts = Object.entries(users).map(([name, word]) => `user_${name}="${word}"`)
  const scram = login('scram.Scram')
  return {
    [`${prefix}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    [`${prefix}.plain.sasl.jaas.config`]: login('plain.Plain', ...accounts),
    [`${prefix}.scram-sha-256.sasl.jaas.config`]: scram,
    [`${prefix}.scram-sha-512.sasl.jaas.config`]: scram,
    [`${prefix}.oauthbearer.sasl.jaas.config`]: login(
      'oauthbearer.OAuthBearer',
      'unsecuredLoginStringClaim_sub="broker"'
    )
  }
}

function login(module: string, ...options: string[]): string {
  const name = `org.apache.kafka.common.security.${module}LoginModule`
  return `${[name, 'required', ...options].join(' ')};`
}

function tls(prefix: string, { serverStore, trustedStore }: Certificates): Record<string, string> {
  return {
    [`${prefix}.ssl.keystore.type`]: 'PKCS12',
    [`${prefix}.ssl.keystore.location`]: serverStore,
    [`${prefix}.ssl.keystore.password`]: storePassword,
    [`${prefix}.ssl.truststore.type`]: 'PKCS12',
    [`${prefix}.ssl.truststore.location`]: trustedStore,
    [`${prefix}.ssl.truststore.password`]: storePassword
  }
}

/** Users that SCRAM knows are in the metadata log from its first entry on. */
export function formatOptions(users: Readonly<Record<string, string>>): string[] {
  return Object.entries(users).flatMap(([name, password]) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=${name},password=${password}]`
    ])
  )
}
