// Reads `kafka://user:password@host:9092,other:9093`: addresses, a login, and nothing to print.

import type { Problem } from '../../core/problems.ts'
import { nearest } from '../../core/problems.ts'
import type { BrokerAddress } from './metadata.ts'

export interface BrokerUrl {
  readonly brokers: readonly BrokerAddress[]
  readonly username: string | undefined
  readonly password: string | undefined
  /** As a person may read it: without the login. */
  readonly shown: string
}

const portDefault = 9_092
const path = 'broker'

/** What the URL says, or what is wrong with it; problems never quote a login. */
export function parseBrokerUrl(url: string): BrokerUrl | readonly Problem[] {
  const match = /^kafka:(?:\/\/)?(.*)$/is.exec(url.trim())
  if (match === null) return [{ path, message: 'is no Kafka URL', fix: form }]
  const { authority, rest, login } = split(match[1] ?? '')
  // A password with `/` or `?` in it looks like an address and a path: nothing of it is quoted.
  if (rest.includes('@')) return [{ path, message: 'has a login that cannot be read', fix: coded }]
  const problems: Problem[] = []
  if (rest !== '' && rest !== '/') {
    problems.push({ path, message: 'has more than addresses', fix: extraFix(rest) })
  }
  const brokers: BrokerAddress[] = []
  for (const text of authority.split(',')) {
    const address = parseAddress(text.trim())
    if (address === undefined) {
      // Where the host was forgotten, what follows the colon is a password.
      const told = JSON.stringify(text.replace(/:(?![\d:]*$).*$/s, ':…'))
      problems.push({ path, message: `names no address: ${told}`, fix: form })
    } else {
      brokers.push(address)
    }
  }
  const [username, password] = login
  if (username === null || password === null) {
    problems.push({ path, message: 'has a login that cannot be read', fix: coded })
  }
  if (problems.length > 0) return problems
  const shown = `kafka://${brokers.map(textOf).join(',')}`
  return { brokers, username: username ?? undefined, password: password ?? undefined, shown }
}

const coded = 'Write special characters of a login percent-encoded: `@` is %40, `/` is %2F.'

const form = 'Write kafka://host:9092, with further brokers after a comma.'

interface Parts {
  readonly authority: string
  readonly rest: string
  /** Null for what cannot be decoded. */
  readonly login: readonly (string | null | undefined)[]
}

function split(text: string): Parts {
  const end = text.search(/[/?#]/)
  const whole = end < 0 ? text : text.slice(0, end)
  const rest = end < 0 ? '' : text.slice(end)
  const at = whole.lastIndexOf('@')
  if (at < 0) return { authority: whole, rest, login: [] }
  const [username = '', ...others] = whole.slice(0, at).split(':')
  const login = others.length === 0 ? [username] : [username, others.join(':')]
  return { authority: whole.slice(at + 1), rest, login: [decode(login[0]), decode(login[1])] }
}

function decode(text: string | undefined): string | null | undefined {
  if (text === undefined) return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

function parseAddress(text: string): BrokerAddress | undefined {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^\s:[\]]+))(?::(\d{1,5}))?$/i.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = match?.[3] === undefined ? portDefault : Number(match[3])
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port }
}

function textOf({ host, port }: BrokerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function extraFix(rest: string): string {
  const [, name = ''] = /^[/]?[?]([\w.]+)/.exec(rest) ?? []
  const near = nearest(name, ['tls', 'sasl', 'mechanism', 'username', 'password', 'ca'])
  return near === undefined
    ? `${form} A login and TLS are options of their own: see docs/reference/options.md.`
    : 'Give it as an option: `sasl.…` and `tls.…`, or TAILRACE_SASL_… and TAILRACE_TLS_….'
}
