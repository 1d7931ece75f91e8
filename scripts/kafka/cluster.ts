// Starts real Kafka: one node or three, on free ports of the loopback interface, in a folder that
// goes with them.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Certificates, certificates } from './certificates.ts'
import { type Kafka, kafka } from './jars.ts'
import { KafkaNode } from './node.ts'
import { freePorts } from './ports.ts'
import {
  type Door,
  formatOptions,
  type NodePorts,
  serverProperties,
  superUser
} from './settings.ts'

export interface ClusterOptions {
  /** Default: as `kafka` of jars.ts. */
  readonly version?: string
  /** Default: 1. Three have replication 3 and min ISR 2. */
  readonly nodes?: 1 | 3
  /** How clients may come in besides `plain`, which is always there. */
  readonly doors?: readonly ('sasl' | 'saslTls' | 'tls')[]
  /** Default: `admin` and `alice`, each with its name and `-secret` as password. */
  readonly users?: Readonly<Record<string, string>>
  /** Only `admin` and whoever comes in by the plain door may do what no ACL allows. */
  readonly hasAcls?: boolean
  /** Default: optional; a certificate of another authority is refused in any case. */
  readonly clientCertificates?: 'optional' | 'required'
  /** Ports of proxies, one a node: clients that come in by the door `proxied` are sent there. */
  readonly proxyPorts?: readonly number[]
  /** Default: 384. */
  readonly heapMb?: number
  /** Default: quick. */
  readonly jvm?: 'quick' | 'steady'
  /** Kept when all is over; default: a new folder that goes. */
  readonly directory?: string
  /** Settings of the broker; they win over all others. */
  readonly config?: Readonly<Record<string, string>>
}

const standardUsers: Readonly<Record<string, string>> = {
  [superUser]: 'admin-secret',
  alice: 'alice-secret'
}

/** Each try has new ports; that one of them is taken in between happens less than once in 1000. */
const triesMax = 5

export class KafkaCluster {
  readonly version: string
  readonly directory: string
  readonly users: Readonly<Record<string, string>>
  readonly certificates: Certificates | undefined
  readonly #nodes: readonly KafkaNode[]
  readonly #ports: readonly NodePorts[]
  readonly #isTemporary: boolean

  private constructor(
    parts: Parts,
    { nodes, ports }: { nodes: readonly KafkaNode[]; ports: readonly NodePorts[] }
  ) {
    this.version = parts.kafka.version
    this.directory = parts.directory
    this.users = parts.users
    this.certificates = parts.certificates
    this.#isTemporary = parts.isTemporary
    this.#nodes = nodes
    this.#ports = ports
  }

  static async start(options: ClusterOptions = {}): Promise<KafkaCluster> {
    const parts = await partsOf(options)
    for (let tryNumber = 1; ; tryNumber++) {
      const made = await makeNodes(parts)
      const cluster = new KafkaCluster(parts, made)
      const started = await Promise.allSettled(made.nodes.map((node) => node.start()))
      const failed = started.find((one) => one.status === 'rejected')
      if (failed === undefined) return cluster
      await cluster.stop()
      const isTaken = /Address already in use/.test(String(failed.reason))
      if (!isTaken || tryNumber === triesMax || !parts.isTemporary) throw failed.reason
      parts.directory = await newDirectory()
    }
  }

  /** `127.0.0.1:port` of every node, by comma: what clients are given. */
  servers(door: Door = 'plain'): string {
    return this.#ports.map(({ doors }) => `127.0.0.1:${doors[door] ?? closed(door)}`).join(',')
  }

  /** For `TAILRACE_BROKER`. */
  url(door: Door = 'plain'): string {
    return `kafka://${this.servers(door)}`
  }

  port(door: Door = 'plain', id = 1): number {
    return this.#ports[id - 1]?.doors[door] ?? closed(door)
  }

  /** Nodes count from 1, as their ids do. */
  node(id = 1): KafkaNode {
    const node = this.#nodes[id - 1]
    if (node === undefined) throw new Error(`this cluster has no node ${id}`)
    return node
  }

  get nodes(): readonly KafkaNode[] {
    return this.#nodes
  }

  /** The end of every process and of the folder; in disorder, as nobody will read it again. */
  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => (this.#isTemporary ? node.kill() : node.stop())))
    if (!this.#isTemporary) return
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

interface Parts {
  readonly options: ClusterOptions
  readonly kafka: Kafka
  readonly users: Readonly<Record<string, string>>
  readonly certificates: Certificates | undefined
  readonly isTemporary: boolean
  /** Of the cluster, for as long as the folder lives. */
  readonly clusterId: string
  directory: string
}

async function partsOf(options: ClusterOptions): Promise<Parts> {
  const { directory, doors = [], users = standardUsers, version } = options
  return {
    options,
    kafka: await kafka(version === undefined ? {} : { version }),
    users: doors.some((door) => door !== 'tls') ? users : {},
    certificates: doors.some((door) => door !== 'sasl') ? await certificates() : undefined,
    isTemporary: directory === undefined,
    // A leading minus would be read as an option.
    clusterId: randomBytes(16).toString('base64url').replace(/^-/, 'k'),
    directory: directory ?? (await newDirectory())
  }
}

async function newDirectory(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'tailrace-kafka-'))
}

async function makeNodes(
  parts: Parts
): Promise<{ nodes: KafkaNode[]; ports: readonly NodePorts[] }> {
  const { directory, isTemporary, kafka, options, users } = parts
  const { doors = [], nodes: count = 1, proxyPorts } = options
  const open: readonly Door[] = ['plain', ...doors, ...(proxyPorts ? ['proxied' as const] : [])]
  const ports = await Promise.all(Array.from({ length: count }, () => portsOf(open)))
  const nodes = ports.map((_, index) => {
    const id = index + 1
    return new KafkaNode({
      id,
      kafka,
      directory,
      properties: serverProperties({
        id,
        directory,
        nodes: ports,
        users,
        hasAcls: options.hasAcls ?? false,
        clientCertificates: options.clientCertificates ?? 'optional',
        certificates: parts.certificates,
        proxyPort: proxyPorts?.[index],
        config: options.config ?? {}
      }),
      formatOptions: ['--cluster-id', parts.clusterId, ...formatOptions(users)],
      heapMb: options.heapMb ?? 384,
      jvm: options.jvm ?? 'quick',
      isTemporary
    })
  })
  return { nodes, ports }
}

async function portsOf(doors: readonly Door[]): Promise<NodePorts> {
  const [controller, ...rest] = await freePorts(doors.length + 1)
  return {
    controller: controller as number,
    doors: Object.fromEntries(doors.map((door, index) => [door, rest[index] as number]))
  }
}

function closed(door: Door): never {
  throw new Error(`this cluster was started without the door "${door}"`)
}
