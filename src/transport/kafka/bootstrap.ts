// The first contact: which of the addresses answers, and what it says of the cluster.

import { messageOf } from '../../core/errors.ts'
import type { Clock } from '../../port/clock.ts'
import { pause } from '../../port/clock.ts'
import type { BrokerLinks } from './broker-links.ts'
import { metadataV12 } from './library.ts'
import type { Link } from './link.ts'
import type { BrokerAddress, MetadataAnswer } from './metadata.ts'
import { KafkaFailure, local } from './protocol-failure.ts'

export interface BootstrapParts {
  readonly brokers: readonly BrokerAddress[]
  readonly links: BrokerLinks
  /** A broker that hangs up may mean that it wants a login. */
  readonly mayLackLogin: boolean
  readonly clock: Clock
}

/** The next address is tried after so long without an answer, or at once after a refusal. */
const staggerMs = 500
const timeoutMs = 4_700
/** A connection that was lost says little: it is tried again after each of these. */
const againMs: readonly number[] = [100, 200, 400]

/** The request whose newest version names the release: Fetch 17 came with Kafka 3.9. */
const releaseMark = { key: 1, version: 17 }

/** The metadata of the first address that answers; the brokers it names, and no topics. */
export async function bootstrap(parts: BootstrapParts): Promise<MetadataAnswer> {
  const { brokers, clock } = parts
  const over = new AbortController()
  const failures: KafkaFailure[] = []
  const attempts: Promise<MetadataAnswer>[] = []
  const timeout = pause(clock, timeoutMs, over.signal).then((): never => {
    const reason = `no answer within ${timeoutMs} ms`
    throw new KafkaFailure(local.timedOut, `connecting to ${places(brokers)}`, { reason })
  })
  timeout.catch(() => undefined)
  try {
    for (const address of brokers) {
      const attempt = contact(address, parts)
      attempt.catch((error: unknown) => failures.push(asFailure(error)))
      attempts.push(attempt)
      const answer = await Promise.race([firstOf(attempts), pause(clock, staggerMs, over.signal)])
      if (answer !== undefined) return answer
    }
    return await Promise.race([allOf(attempts), timeout])
  } catch (error) {
    throw summary(error, failures, brokers)
  } finally {
    over.abort()
  }
}

/** Undefined when all so far failed: then the next address is due at once. */
async function firstOf(
  attempts: readonly Promise<MetadataAnswer>[]
): Promise<MetadataAnswer | undefined> {
  return Promise.any(attempts).catch(() => undefined)
}

async function allOf(attempts: readonly Promise<MetadataAnswer>[]): Promise<MetadataAnswer> {
  return Promise.any(attempts)
}

async function contact(address: BrokerAddress, parts: BootstrapParts): Promise<MetadataAnswer> {
  const { clock, mayLackLogin } = parts
  let last = await attempt(address, parts)
  let { hasSpoken } = last
  for (const waitMs of againMs) {
    if (last.answer !== undefined) return last.answer
    if (!isLost(last.error)) throw last.error
    await pause(clock, waitMs)
    last = await attempt(address, parts)
    hasSpoken &&= last.hasSpoken
  }
  if (last.answer !== undefined) return last.answer
  // Before a login a broker answers what it speaks, and hangs up at anything else, every time.
  if (!mayLackLogin || !hasSpoken || !isLost(last.error)) throw last.error
  const what = `connecting to ${address.host}:${address.port}`
  const reason = 'the broker hung up on a request without a login'
  throw new KafkaFailure(local.saslExpected, what, { cause: last.error, reason })
}

interface Attempt {
  readonly answer?: MetadataAnswer
  readonly error?: unknown
  /** It said what it speaks. */
  readonly hasSpoken: boolean
}

async function attempt(address: BrokerAddress, { links }: BootstrapParts): Promise<Attempt> {
  let link: Link | undefined
  try {
    link = await links.bootstrap(address)
    throwIfOld(link)
    return { answer: await link.call(metadataV12.api, [], false), hasSpoken: true }
  } catch (error) {
    return { error, hasSpoken: link !== undefined }
  } finally {
    link?.close()
  }
}

function isLost(error: unknown): boolean {
  return error instanceof KafkaFailure && error.code === local.connectionLost
}

function throwIfOld({ versions, host, port }: Link): void {
  const speaks = versions.get(releaseMark.key)?.max ?? 0
  if (speaks >= releaseMark.version) return
  throw new KafkaFailure(local.tooOld, `connecting to ${host}:${port}`)
}

/** What says most: a refusal that no waiting mends, or all reasons in one sentence. */
function summary(
  error: unknown,
  failures: readonly KafkaFailure[],
  brokers: readonly BrokerAddress[]
): KafkaFailure {
  const [first] = failures
  const fatal = failures.find(({ isRetriable }) => !isRetriable)
  if (fatal !== undefined) return fatal
  if (first !== undefined && brokers.length === 1) return first
  if (first === undefined) return asFailure(error)
  const reason = failures.map(messageOf).join('; ')
  return new KafkaFailure(first.code, `connecting to ${places(brokers)}`, { cause: first, reason })
}

function asFailure(error: unknown): KafkaFailure {
  if (error instanceof KafkaFailure) return error
  const options = { cause: error, reason: messageOf(error) }
  return new KafkaFailure(local.connectionLost, 'connecting to Kafka', options)
}

function places(brokers: readonly BrokerAddress[]): string {
  return brokers.map(({ host, port }) => `${host}:${port}`).join(', ')
}
