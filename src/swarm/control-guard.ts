// Who may ask a supervisor what: pure, from what a request says of where it comes from. There is no
// log-in, so this is what keeps a web page, and other machines, from telling a swarm what to do.
import { isIP } from 'node:net'

export interface ControlRequest {
  readonly method: string
  readonly path: string
  /** Undefined where it is not said, as all headers here. */
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly fetchSite: string | undefined
  /** It comes from a program of this machine. */
  readonly isLocal: boolean
}

/** Answered to everybody: a probe comes from outside, and learns nothing else. */
const probePaths: readonly string[] = ['/live', '/ready']

/** Why it is refused, as a sentence. */
export function refusalOf(request: ControlRequest): string | undefined {
  const { fetchSite, host = '', isLocal, method, origin, path } = request
  if (isReading(method) && probePaths.includes(path)) return undefined
  if (!isLocal) {
    return `only programs of this machine are answered; others may ask ${probePaths.join(', ')}`
  }
  if (!isOurName(host)) {
    return (
      `the request is for the host ${JSON.stringify(host)}, which is no name of this port: ` +
      `ask for 127.0.0.1 or localhost`
    )
  }
  if (isReading(method)) return undefined
  const isForeign = origin !== undefined && origin !== `http://${host}`
  const isCross = fetchSite !== undefined && fetchSite !== 'same-origin'
  if (!isForeign && !isCross) return undefined
  const whose = origin === undefined ? 'another origin' : `the origin ${JSON.stringify(origin)}`
  return `the request comes from a web page of ${whose}, which may not command a swarm`
}

export function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

/**
 * A name can be made to lead here by whoever owns it (DNS rebinding), an address cannot.
 */
function isOurName(host: string): boolean {
  const name = host.replace(/:\d+$/, '')
  const address = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name
  return name.toLowerCase() === 'localhost' || isIP(address) !== 0
}
