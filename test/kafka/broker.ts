// Brokers for tests: the one that all files of a run share, or one of a test's own to do harm to.
//
// `testBroker` uses TAILRACE_TEST_KAFKA (host:port) when it is set, and else starts real Kafka for
// the run of tests that this file belongs to. Without either a test fails: none is skipped.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ClusterOptions, KafkaCluster } from '../../scripts/kafka/cluster.ts'
import { kafka } from '../../scripts/kafka/jars.ts'
import { type Finished, jdkProgram, type RunOptions, run } from '../../scripts/kafka/java.ts'
import { locked } from '../../scripts/kafka/lock.ts'
import { runId } from './run-of-tests.ts'

export interface TestBroker {
  /** `kafka://host:port`, as TAILRACE_BROKER takes it. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** `host:port`, as Kafka's own tools take it. */
  readonly servers: string
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * The shared broker. It has been used before and will be used after: names of topics, groups and
 * transactional ids must have a random part, and nobody stops or blocks it.
 */
export async function testBroker(): Promise<TestBroker> {
  const named = process.env['TAILRACE_TEST_KAFKA']
  if (named !== undefined && named !== '') return await namedBroker(named)
  const socket = await sharedSocket(runId())
  const { servers } = await answerOf(socket)
  // A file that forgets to let go must be able to end; its end lets go.
  socket.unref()
  return asBroker(servers, async () => {
    socket.destroy()
  })
}

/** A broker, or three, of the test's own: for faults, security and settings. */
export async function ownBroker(options: ClusterOptions = {}): Promise<KafkaCluster> {
  return await KafkaCluster.start(options)
}

export interface ToolOptions extends RunOptions {
  /** Default: it must be 0. */
  readonly isExitCodeChecked?: boolean
}

/** Runs a class of Kafka's console tools, such as `org.apache.kafka.tools.ConsoleProducer`. */
export async function javaTool(
  className: string,
  args: readonly string[],
  { isExitCodeChecked = true, timeoutMs = 120_000, ...options }: ToolOptions = {}
): Promise<Finished> {
  const { classpath } = await kafka()
  const jvm = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'
  const all = [...jvm, quiet, '-cp', classpath, className, ...args]
  const finished = await run(jdkProgram('java'), all, { ...options, timeoutMs })
  if (isExitCodeChecked && finished.code !== 0) {
    const said = `${finished.stdout}${finished.stderr}`
    throw new Error(`${className} ${args.join(' ')} ended with code ${finished.code}:\n${said}`)
  }
  return finished
}

async function namedBroker(named: string): Promise<TestBroker> {
  const broker = asBroker(named.replace(/^kafka:\/\//, ''), async () => undefined)
  const socket = connect({ host: broker.host, port: broker.port, timeout: 5_000 })
  socket.once('timeout', () => socket.destroy(new Error('no answer in 5 s')))
  try {
    await once(socket, 'connect')
  } catch (error) {
    const what = `TAILRACE_TEST_KAFKA names ${named}, and nobody answers there`
    throw new Error(`${what}: start that broker, or unset it to have one started`, { cause: error })
  } finally {
    socket.destroy()
  }
  return broker
}

function asBroker(servers: string, dispose: () => Promise<void>): TestBroker {
  const { hostname, port } = new URL(`kafka://${servers.split(',')[0]}`)
  return {
    url: `kafka://${servers}`,
    host: hostname,
    port: Number(port),
    servers,
    [Symbol.asyncDispose]: dispose
  }
}

/** A connection to the process that holds the broker of a run; the first to ask starts it. */
async function sharedSocket(id: number): Promise<Socket> {
  const place = join(tmpdir(), `tailrace-kafka-run-${id}`)
  const path = join(place, 'door')
  const there = await connected(path)
  if (there !== undefined) return there
  return await locked(join(place, 'lock'), async () => {
    return (await connected(path)) ?? (await startShared({ id, path, place }))
  })
}

interface SharedParts {
  readonly id: number
  readonly path: string
  readonly place: string
}

async function startShared({ id, path, place }: SharedParts): Promise<Socket> {
  const logPath = join(place, 'log')
  const log = openSync(logPath, 'a')
  const program = join(import.meta.dirname, 'shared-broker.ts')
  const child = spawn(process.execPath, [program, path, String(id)], {
    // It outlives the file that started it, but not the run.
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, NODE_TEST_CONTEXT: undefined }
  })
  closeSync(log)
  child.unref()
  while (child.exitCode === null && child.signalCode === null) {
    const socket = await connected(path)
    if (socket !== undefined) return socket
    await sleep(20)
  }
  throw new Error(`the shared Kafka broker ended:\n${readFileSync(logPath, 'utf8')}`)
}

async function connected(path: string): Promise<Socket | undefined> {
  if (!existsSync(path)) return undefined
  const socket = connect({ path })
  try {
    await once(socket, 'connect')
    return socket
  } catch {
    // Nobody listens any more, or not yet.
    return undefined
  }
}

async function answerOf(socket: Socket): Promise<{ servers: string }> {
  const lines = createInterface(socket)
  try {
    for await (const line of lines) {
      const said = JSON.parse(line) as { servers?: string; error?: string }
      if (said.servers !== undefined) return { servers: said.servers }
      throw new Error(said.error)
    }
  } finally {
    lines.close()
    socket.resume()
  }
  throw new Error('the process of the shared Kafka broker ended before the broker was ready')
}
