// Real processes that die inside the log: nothing lost, doubled or torn, and nobody waits long.
//
// Run with an argument this file is one of those processes.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { record, recordsOf, taskOf, TransportScene } from '../../conformance/transport-scene.ts'
import type { FailpointLabel } from '../../port/failpoint.ts'
import { armFailpoint } from '../../port/failpoint.ts'
import { pause } from '../../port/clock.ts'
import type { OwnedTask } from '../../port/coordinator.ts'
import type { Transport } from '../../port/transport.ts'
import { realClock } from '../../runtime/real-clock.ts'
import { createEmbeddedTransport } from './index.ts'

const partitions = [0, 1, 2, 3]
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const roles: Readonly<Record<string, (transport: Transport, name: string) => Promise<void>>> = {
  /** Sends for ever; says what was acknowledged. */
  async write(transport, name) {
    const producer = await transport.producer()
    for (let next = 0; ; next += 40) {
      const values = Array.from({ length: 40 }, (_, i) => `${name}:${next + i}`)
      const sends = values.map((value, i) => {
        return producer.send(record({ topic: 'in', partition: i % 4 }, { value }))
      })
      await Promise.all(sends)
      say(`${next} ${next + 40}`)
    }
  },

  /** Opens a log that is not there yet, and sends to a topic that nobody has made. */
  async found(transport, name) {
    const settings = { cleanupPolicy: 'delete', retentionMs: -1, timestampType: 'create' } as const
    const spec = { name: 'in', partitions: 4, replication: 1, settings: { ...settings, extra: {} } }
    const [made] = await transport.admin().create([spec])
    const producer = await transport.producer()
    for (let i = 0; i < 200; i++) {
      await producer.send(record({ topic: 'in', partition: i % 4 }, { value: `${name}:${i}` }))
    }
    say(made?.id ?? 'nothing')
    await transport.close()
  },

  /** Copies `in` to `out` for ever, in transactions, as a member of a group. */
  async copy(transport, name) {
    await new Copier(transport, name).run()
  },

  /** One transaction over two partitions, in which it dies. */
  async die(transport, label) {
    const producer = await transport.transactionalProducer('dying')
    await producer.begin()
    const value = 'x'.repeat(1_000)
    for (const partition of [0, 1]) {
      producer.append('task', record({ topic: 'in', partition }, { value }))
    }
    armFailpoint(label as FailpointLabel, 1, () => process.kill(process.pid, 'SIGKILL'))
    await producer.end()
    say('survived')
  },

  /** Sends until the disk is full, then says how that was told and what still works. */
  async fill(transport, topic) {
    const producer = await transport.producer()
    const value = 'x'.repeat(100_000)
    for (let sent = 0; ; sent++) {
      try {
        await producer.send(record({ topic, partition: 0 }, { value }))
      } catch (error) {
        const { code, isDefinite } = error as { code: string; isDefinite: boolean }
        await producer.send(record({ topic, partition: 1 }, { value: 'small' }))
        say(JSON.stringify({ sent, code, isDefinite }))
        return transport.close()
      }
    }
  }
}

class Copier {
  readonly #transport: Transport
  readonly #name: string
  #positions = new Map<number, number>()
  #owned: readonly OwnedTask[] = []

  constructor(transport: Transport, name: string) {
    this.#transport = transport
    this.#name = name
  }

  async run(): Promise<void> {
    const { sessionTimeoutMs, heartbeatMs } = this.#transport.features
    const [coordinator, fetcher, producer] = [
      await this.#transport.coordinator(),
      await this.#transport.fetcher(),
      await this.#transport.transactionalProducer(this.#name)
    ]
    const tasks = partitions.map((partition) => taskOf(partition, 'in'))
    const times = { sessionTimeoutMs, heartbeatMs }
    const who = { group: 'copy', memberId: this.#name, topologyHash: 'h', url: undefined }
    await coordinator.join({ ...who, tasks, ...times })
    for (let beatAt = 0; ; ) {
      if (realClock.monotonic() >= beatAt) {
        const { owned, revoked } = await coordinator.beat()
        if (revoked.length > 0) await coordinator.release(revoked)
        await this.#own(
          fetcher,
          owned.filter(({ task }) => !revoked.includes(task))
        )
        beatAt = realClock.monotonic() + heartbeatMs
      }
      const chunks = await fetcher.fetch({ bytesMax: 100_000, waitMaxMs: 20 })
      await producer.begin()
      for (const chunk of chunks) {
        const { partition, nextOffset } = chunk
        const task = `in/${partition}`
        for (const { value } of recordsOf(chunk, this.#positions.get(partition) ?? 0)) {
          producer.append(task, record({ topic: 'out', partition }, { value }))
        }
        this.#positions.set(partition, nextOffset)
        const epoch = this.#owned.find((one) => one.task === task)?.epoch ?? -1
        const offsets = [{ topic: 'in', partition, offset: nextOffset, metadata: '' }]
        producer.commitOffsets({ ...who, task, epoch, offsets })
      }
      const { fenced } = await producer.end()
      if (chunks.length > 0) say(`commit ${chunks.length} ${fenced.length}`)
    }
  }

  /** Begins at the committed offset of each task that is new, or given anew. */
  async #own(
    fetcher: Awaited<ReturnType<Transport['fetcher']>>,
    owned: readonly OwnedTask[]
  ): Promise<void> {
    const before = new Map(this.#owned.map(({ task, epoch }) => [task, epoch]))
    const now = new Map(owned.map(({ task, epoch }) => [task, epoch]))
    for (const task of before.keys()) {
      if (!now.has(task)) fetcher.remove([{ topic: 'in', partition: Number(task.slice(3)) }])
    }
    for (const [task, epoch] of now) {
      if (before.get(task) === epoch) continue
      const at = { topic: 'in', partition: Number(task.slice(3)) }
      const [committed] = await this.#transport.admin().committed('copy', [at])
      const offset = committed?.offset ?? 0
      this.#positions.set(at.partition, offset)
      fetcher.add([{ ...at, offset }])
    }
    this.#owned = owned
  }
}

const started = new Set<Process>()

/** Another process of this file; its lines are collected until it is gone. */
class Process {
  readonly lines: string[] = []
  readonly #child: ChildProcess
  readonly #gone: Promise<string | number | null>

  constructor(directory: string, role: string, name: string) {
    const file = fileURLToPath(import.meta.url)
    const args = [...process.execArgv.filter((arg) => !arg.startsWith('--test')), file]
    this.#child = spawn(process.execPath, [...args, directory, role, name], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_TEST_CONTEXT: undefined }
    })
    assert.ok(this.#child.stdout !== null)
    const lines = createInterface({ input: this.#child.stdout })
    lines.on('line', (line) => this.lines.push(line))
    this.#gone = new Promise((resolve) => {
      this.#child.on('close', (code, signal) => resolve(signal ?? code))
    })
    started.add(this)
  }

  /** Kills what a failed test left: the run would wait for it. */
  static async killAll(): Promise<void> {
    for (const one of started) await one.kill()
  }

  /** The signal that ended it, or its exit code. */
  ended(): Promise<string | number | null> {
    return this.#gone
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#gone
    started.delete(this)
  }

  /** Resolves with the line number `count`. */
  async line(count: number): Promise<string> {
    while (this.lines.length < count) await pause(realClock, 2)
    return this.lines[count - 1]!
  }
}

async function inLog(
  run: (scene: TransportScene, directory: string) => Promise<void>
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'tailrace-kill-'))
  const transport = createEmbeddedTransport({ directory, clock: realClock })
  await transport.open()
  const settings = { cleanupPolicy: 'delete', retentionMs: -1, timestampType: 'create' } as const
  const topics = ['in', 'out'].map((name) => {
    const extra = { 'segment.bytes': '200000' }
    return { name, partitions: 4, replication: 1, settings: { ...settings, extra } }
  })
  await transport.admin().create(topics)
  const log = { clock: realClock, connect: notUsed, dispose: () => transport.close() }
  try {
    await run(new TransportScene(log, transport, { sessionTimeoutMs: 3_000 }), directory)
  } finally {
    await transport.close()
    await rm(directory, { recursive: true })
  }
}

const notUsed = (): Promise<Transport> => Promise.reject(new Error('not used'))

async function valuesOf(scene: TransportScene, topic: string): Promise<string[]> {
  const all = await Promise.all(partitions.map((partition) => scene.values({ topic, partition })))
  return all.flat().map(String)
}

function killTests(): void {
  after(() => Process.killAll())

  for (const label of ['embedded.write.bytes', 'embedded.write.committed'] as const) {
    test(`a process killed at ${label} leaves all of its transaction, or nothing`, () =>
      inLog(async (scene, directory) => {
        const expected = label === 'embedded.write.committed' ? 1 : 0
        for (let round = 1; round <= 3; round++) {
          const victim = new Process(directory, 'die', label)
          assert.equal(await victim.ended(), 'SIGKILL')
          const ends = await scene.transport
            .admin()
            .ranges([0, 1].map((partition) => ({ topic: 'in', partition })))
          // Each round one more record of our own, written over what a killed one left.
          assert.deepEqual(
            ends.map(({ end }) => end),
            [0, 1].map((partition) => round * expected + (partition === 0 ? round - 1 : 0))
          )
          await scene.send({ topic: 'in', partition: 0 }, `after ${round}`)
        }
        const values = await scene.values({ topic: 'in', partition: 0 })
        const own = values.filter((value) => value?.startsWith('after'))
        assert.deepEqual(own, ['after 1', 'after 2', 'after 3'])
        assert.equal(values.length, 3 + 3 * expected)
      }))
  }

  const title = 'killed at random under load: nothing acknowledged is lost, nothing is doubled'
  test(title, { timeout: 120_000 }, () =>
    inLog(async (scene, directory) => {
      let count = 0
      const start = (role: string): Process => new Process(directory, role, `${role}-${count++}`)
      const acknowledged: string[] = []
      const collect = (one: Process, name: string): void => {
        for (const line of one.lines) {
          const [from, to] = line.split(' ').map(Number) as [number, number]
          for (let i = from; i < to; i++) acknowledged.push(`${name}:${i}`)
        }
      }
      const slots = ['write', 'write', 'copy', 'copy'].map((role) => {
        const name = `${role}-${count}`
        return { role, name, process: start(role) }
      })
      for (let kill = 0; kill < 24; kill++) {
        await pause(realClock, 60 + Math.random() * 200)
        const slot = slots[Math.floor(Math.random() * slots.length)]!
        // However long a process takes to start: it dies at work.
        if (slot.role === 'write') await slot.process.line(1)
        await slot.process.kill()
        if (slot.role === 'write') collect(slot.process, slot.name)
        slot.name = `${slot.role}-${count}`
        slot.process = start(slot.role)
      }
      for (const slot of slots.filter(({ role }) => role === 'write')) {
        await slot.process.line(30)
        await slot.process.kill()
        collect(slot.process, slot.name)
      }
      await copied(scene)
      for (const slot of slots) await slot.process.kill()
      const input = await valuesOf(scene, 'in')
      const output = await valuesOf(scene, 'out')
      assert.equal(new Set(input).size, input.length, 'an input record is there twice')
      const held = new Set(input)
      const lost = acknowledged.filter((value) => !held.has(value))
      assert.deepEqual(lost, [], `${lost.length} acknowledged records are lost`)
      assert.ok(acknowledged.length > 1_000, `only ${acknowledged.length} were acknowledged`)
      assert.deepEqual(output.sort(), input.sort(), 'output is not exactly the input')
      assert.ok(statSync(join(directory, 'log.db-wal')).size < 16 * 1024 * 1024)
    })
  )

  test('eight processes found one log at once and write to it', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'tailrace-found-'))
    const directory = join(parent, 'log')
    const founders = Array.from({ length: 8 }, (_, i) => new Process(directory, 'found', `p${i}`))
    const ends = await Promise.all(founders.map((founder) => founder.ended()))
    assert.deepEqual(ends, Array(8).fill(0))
    const ids = new Set(founders.flatMap(({ lines }) => lines))
    assert.equal(ids.size, 1, 'the topic was made once')
    const transport = createEmbeddedTransport({ directory, clock: realClock })
    await transport.open()
    try {
      const log = { clock: realClock, connect: notUsed, dispose: () => transport.close() }
      const scene = new TransportScene(log, transport, { sessionTimeoutMs: 3_000 })
      const values = await valuesOf(scene, 'in')
      assert.equal(values.length, 1_600)
      assert.equal(new Set(values).size, 1_600)
    } finally {
      await transport.close()
      await rm(parent, { recursive: true })
    }
  })

  test('tasks of a killed member go on elsewhere', { timeout: 30_000 }, (context) =>
    inLog(async (scene, directory) => {
      const members = [0, 1, 2].map((i) => new Process(directory, 'copy', `member-${i}`))
      const send = (): Promise<unknown> =>
        Promise.all(partitions.map((partition) => scene.send({ topic: 'in', partition }, 'v')))
      await send()
      await copied(scene)
      await pause(realClock, 600)
      const victim = members.find(({ lines }) => lines.length > 0)
      assert.ok(victim !== undefined)
      const since = realClock.monotonic()
      await victim.kill()
      await send()
      await copied(scene)
      context.diagnostic(`took over after ${Math.round(realClock.monotonic() - since)} ms`)
      for (const member of members) await member.kill()
    })
  )

  test('a disk that is full refuses definitely, keeps what it has, and takes what fits', () =>
    inLog(async (scene, directory) => {
      const topic = await scene.topic(2)
      // A limit on the size of a file, in blocks of 512 or 1024 bytes, stands for the disk.
      const file = fileURLToPath(import.meta.url)
      const args = process.execArgv.filter((arg) => !arg.startsWith('--test'))
      const command = [process.execPath, ...args, file, directory, 'fill', topic]
      const quoted = command.map((word) => `'${word}'`).join(' ')
      const child = spawn('/bin/sh', ['-c', `ulimit -f 8000; exec ${quoted}`], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, NODE_TEST_CONTEXT: undefined }
      })
      let said = ''
      for await (const text of child.stdout) said += String(text)
      const { sent, code, isDefinite } = JSON.parse(said)
      assert.deepEqual([code, isDefinite], ['TAILRACE_STATE_FULL', true])
      assert.equal((await scene.values({ topic, partition: 0 })).length, sent)
      assert.deepEqual(await scene.values({ topic, partition: 1 }), ['small'])
      const [more] = await scene.send({ topic, partition: 0 }, 'there is room again')
      assert.equal(more?.offset, sent)
    }))
}

/** Waits until the group has copied everything there is. */
async function copied(scene: TransportScene): Promise<void> {
  const all = partitions.map((partition) => ({ topic: 'in', partition }))
  for (;;) {
    const ranges = await scene.transport.admin().ranges(all)
    const committed = await scene.transport.admin().committed('copy', all)
    const isDone = ranges.every(
      ({ partition, end }) =>
        end === (committed.find((one) => one.partition === partition)?.offset ?? 0)
    )
    if (isDone) return
    await pause(realClock, 5)
  }
}

const [directory, role, name] = process.argv.slice(2)
if (directory === undefined || role === undefined || name === undefined) killTests()
else {
  const transport = createEmbeddedTransport({ directory, clock: realClock })
  await transport.open()
  await roles[role]?.(transport, name)
}
