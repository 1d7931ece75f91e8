// Asks a supervisor at its control port, and finds it where its port was not named.
import { request } from 'node:http'
import { messageOf, TailraceError } from '../core/errors.ts'
import type { ControlPlace } from '../host/control-place.ts'
import { findControlFiles, type FoundRecord } from './control-file.ts'
import type { ControlStatus } from './control-page.ts'

export interface ControlTarget {
  /** Of the command line or the environment; undefined looks into the data directory. */
  readonly port: number | undefined
  readonly host: string
  readonly datadir: string
}

/** A swarm that has answered. */
export interface FoundSwarm {
  readonly place: ControlPlace
  readonly status: ControlStatus
}

const answerMsMax = 10_000

/**
 * The swarm that is meant.
 *
 * @throws TAILRACE_SWARM_NOT_FOUND
 */
export async function findSwarm({ datadir, host, port }: ControlTarget): Promise<FoundSwarm> {
  if (port !== undefined) {
    const place = { host, port }
    const found = await statusAt(place)
    if (found !== undefined) return { place, status: found }
    throw notFound(`no swarm answers at port ${port} of ${host}`)
  }
  const records = await findControlFiles(datadir)
  const asked = await Promise.all(records.map(async (one) => [one, await statusAt(one)] as const))
  const found = asked.flatMap(([place, status]) =>
    status?.pid === place.pid ? [{ place, status }] : []
  )
  const [only, ...others] = found
  if (only !== undefined && others.length === 0) return only
  if (only === undefined) throw notFound(`no swarm runs from "${datadir}"${staleText(records)}`)
  const known = found.map(({ place, status }) => `"${status.app}" at port ${place.port}`)
  throw notFound(`${found.length} swarms run from "${datadir}": ${known.join(', ')}`)
}

function staleText(records: readonly FoundRecord[]): string {
  if (records.length === 0) return ''
  const pids = records.map(({ file, pid }) => `${file} is of pid ${pid}`).join(', ')
  return ` any more: ${pids}, which does not answer`
}

function notFound(message: string): TailraceError {
  return new TailraceError('TAILRACE_SWARM_NOT_FOUND', message)
}

/** Undefined where nobody is, or somebody else. */
async function statusAt(place: ControlPlace): Promise<ControlStatus | undefined> {
  const answer = await ask(place, 'GET', '/status').catch(() => undefined)
  const isSwarm = answer?.status === 200 && Array.isArray(answer.body['nodes'])
  return isSwarm ? (answer.body as Readonly<Record<string, unknown>> & ControlStatus) : undefined
}

/**
 * The swarm as it is now.
 *
 * @throws TAILRACE_SWARM_NOT_FOUND when it is gone
 */
export async function statusOf(place: ControlPlace): Promise<ControlStatus> {
  const status = await statusAt(place)
  if (status !== undefined) return status
  throw notFound(`the swarm at port ${place.port} does not answer any more`)
}

/**
 * Tells it a command; answers what it says of it.
 *
 * @throws TAILRACE_SWARM_REFUSED with what it says
 */
export async function tell(place: ControlPlace, path: string): Promise<string> {
  const { body, status } = await ask(place, 'POST', path)
  const { error, said } = body
  if (status === 202) return typeof said === 'string' ? said : ''
  const why = typeof error === 'string' ? error : `it answers ${status}`
  throw new TailraceError('TAILRACE_SWARM_REFUSED', why)
}

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

function ask({ host, port }: ControlPlace, method: string, path: string): Promise<Answer> {
  const { promise, reject, resolve } = Promise.withResolvers<Answer>()
  const call = request({ host: reachable(host), port, method, path, agent: false }, (response) => {
    let text = ''
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    response.once('error', reject)
    response.once('end', () => {
      try {
        const body: unknown = JSON.parse(text)
        resolve({ status: response.statusCode ?? 0, body: { ...Object(body) } })
      } catch (error) {
        reject(new Error(`it is no swarm: ${messageOf(error)}`, { cause: error }))
      }
    })
  })
  call.setTimeout(answerMsMax, () => call.destroy(new Error('it does not answer')))
  call.once('error', reject)
  call.end()
  return promise
}

/** What listens everywhere is asked here. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}
