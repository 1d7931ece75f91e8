// A transport of somebody else: tenants share one log, and see only topics and groups of their own.
// It stands on another transport, and every name that goes through it gets the tenant before it.
import type {
  Admin,
  CommittedOffset,
  Coordinator,
  Fetcher,
  Producer,
  ThreadDoor,
  TopicPartition,
  TransactionalProducer,
  Transport,
  TransportFeatures
} from 'tailrace'
import { createEmbeddedTransport } from 'tailrace/transport/embedded'

/** `tenant:<name>:<directory>`, of the embedded log. */
export function createTenantTransport(url: string): TenantTransport {
  const [, tenant = '', directory = ''] = /^tenant:([^:]+):(.+)$/.exec(url) ?? []
  if (tenant === '') throw new TypeError(`"${url}" names no tenant`)
  const door = { module: import.meta.url, argument: url }
  return new TenantTransport(createEmbeddedTransport({ directory }), { tenant, url, door })
}

/** What a thread of the same process calls to have a connection of its own. */
export async function open(argument: string): Promise<Transport> {
  const transport = createTenantTransport(argument)
  await transport.open()
  return transport
}

export interface TenantOptions {
  readonly tenant: string
  readonly url?: string
  readonly door?: ThreadDoor
}

export class TenantTransport implements Transport {
  readonly name = 'tenant'
  readonly url: string
  readonly features: TransportFeatures
  readonly door: ThreadDoor | undefined
  readonly #inner: Transport
  readonly #names: Names

  constructor(inner: Transport, { door, tenant, url = `tenant:${tenant}` }: TenantOptions) {
    this.#inner = inner
    this.#names = new Names(`${tenant}.`)
    this.url = url
    this.features = inner.features
    this.door = door
  }

  open(): Promise<void> {
    return this.#inner.open()
  }

  admin(): Admin {
    return tenantAdmin(this.#inner.admin(), this.#names)
  }

  async producer(): Promise<Producer> {
    const inner = await this.#inner.producer()
    return {
      send: async (record) => this.#names.bare(await inner.send(this.#names.full(record))),
      flush: () => inner.flush(),
      close: () => inner.close()
    }
  }

  async transactionalProducer(id: string): Promise<TransactionalProducer> {
    const inner = await this.#inner.transactionalProducer(this.#names.add(id))
    return tenantTransactions(inner, this.#names)
  }

  async fetcher(): Promise<Fetcher> {
    return tenantFetcher(await this.#inner.fetcher(), this.#names)
  }

  async coordinator(): Promise<Coordinator> {
    const inner = await this.#inner.coordinator()
    const names = this.#names
    return {
      join: (request) =>
        inner.join({
          ...request,
          group: names.add(request.group),
          tasks: request.tasks.map((task) => ({
            ...task,
            sources: task.sources.map((source) => names.full(source))
          }))
        }),
      beat: () => inner.beat(),
      release: (tasks) => inner.release(tasks),
      changed: (waitMaxMs) => inner.changed(waitMaxMs),
      leave: () => inner.leave(),
      close: () => inner.close()
    }
  }

  close(): Promise<void> {
    return this.#inner.close()
  }
}

/** Puts the tenant before a name, and takes it away again. */
class Names {
  readonly #prefix: string

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  add(name: string): string {
    return this.#prefix + name
  }

  isOurs(name: string): boolean {
    return name.startsWith(this.#prefix)
  }

  take(name: string): string {
    return name.slice(this.#prefix.length)
  }

  full<T extends { readonly topic: string }>(one: T): T {
    return { ...one, topic: this.add(one.topic) }
  }

  bare<T extends { readonly topic: string }>(one: T): T {
    return { ...one, topic: this.take(one.topic) }
  }
}

function tenantAdmin(inner: Admin, names: Names): Admin {
  const fullAll = <T extends TopicPartition>(all: readonly T[]): T[] =>
    all.map((one) => names.full(one))
  const bareAll = <T extends TopicPartition>(all: readonly T[]): T[] =>
    all.map((one) => names.bare(one))
  return {
    describe: async (asked) =>
      (await inner.describe(asked?.map((name) => names.add(name))))
        .filter(({ name }) => names.isOurs(name))
        .map((topic) => ({ ...topic, name: names.take(topic.name) })),
    create: async (topics) => {
      const made = await inner.create(topics.map((one) => ({ ...one, name: names.add(one.name) })))
      return made.map((topic) => ({ ...topic, name: names.take(topic.name) }))
    },
    delete: (all) => inner.delete(all.map((name) => names.add(name))),
    ranges: async (all) => bareAll(await inner.ranges(fullAll(all))),
    offsetAt: (at, timestamp) => inner.offsetAt(names.full(at), timestamp),
    committed: async (group, all): Promise<readonly CommittedOffset[]> =>
      bareAll(await inner.committed(names.add(group), fullAll(all))),
    deleteRecords: (at, before) => inner.deleteRecords(names.full(at), before),
    maintain: () => inner.maintain()
  }
}

function tenantTransactions(inner: TransactionalProducer, names: Names): TransactionalProducer {
  return {
    get pendingBytes() {
      return inner.pendingBytes
    },
    begin: () => inner.begin(),
    append: (task, record) => inner.append(task, names.full(record)),
    commitOffsets: (commit) =>
      inner.commitOffsets({
        ...commit,
        group: names.add(commit.group),
        offsets: commit.offsets.map((one) => names.full(one))
      }),
    end: async () => {
      const { ends, fenced } = await inner.end()
      return { fenced, ends: ends.map((end) => names.bare(end)) }
    },
    abort: () => inner.abort(),
    close: () => inner.close()
  }
}

function tenantFetcher(inner: Fetcher, names: Names): Fetcher {
  return {
    add: (positions) => inner.add(positions.map((one) => names.full(one))),
    remove: (partitions) => inner.remove(partitions.map((one) => names.full(one))),
    seek: (position) => inner.seek(names.full(position)),
    pause: (partition) => inner.pause(names.full(partition)),
    resume: (partition) => inner.resume(names.full(partition)),
    fetch: async (limits) => (await inner.fetch(limits)).map((chunk) => names.bare(chunk)),
    wake: () => inner.wake(),
    close: () => inner.close()
  }
}
