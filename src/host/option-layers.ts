// Where options come from: flags, the program, the environment. Each layer is read and judged.
import { nearest, type Problem } from '../core/problems.ts'
import { readOption } from './option-kinds.ts'
import { environmentName, isTextual, type OptionSpec, optionTable } from './option-table.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Names that begin like options of the environment and are none. */
const otherEnvironment: readonly string[] = [
  'TAILRACE_APP',
  'TAILRACE_FAILPOINT',
  'TAILRACE_FAULT_SEED',
  'TAILRACE_PEERS',
  'TAILRACE_SIM_SEED',
  'TAILRACE_SIM_SEEDS',
  'TAILRACE_NODE_PLACE',
  'TAILRACE_TEST_KAFKA',
  'TAILRACE_TEST_KAFKA_VERSION'
]

/** What one place says: values by path, durations in ms, and what is wrong with it. */
export interface OptionLayer {
  readonly values: ReadonlyMap<string, unknown>
  readonly problems: readonly Problem[]
  /** How a person wrote an option there: `--web-port`, `TAILRACE_WEB_PORT`. */
  nameOf(path: string): string
}

const textual = optionTable.filter(isTextual)

/** Options that are given as an object in code, and one by one elsewhere. */
const groups: ReadonlySet<string> = new Set(
  optionTable.flatMap(({ path }) => {
    const parts = path.split('.')
    return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('.'))
  })
)

/** Options that `call` was given as an object, such as `createApp({ … })`. */
export function layerOfObject(
  call: string,
  given: object,
  others: readonly string[] = []
): OptionLayer {
  const nameOf = (path: string): string => {
    const [last = '', ...outer] = path.split('.').reverse()
    return `${call}({ ${outer.reduce((inner, group) => `${group}: { ${inner} }`, last)} })`
  }
  const entries = Object.entries(given).filter(
    ([name, value]) => value !== undefined && !others.includes(name)
  )
  const flat = entries.flatMap(([name, value]) => flatten(name, value))
  const known = [...optionTable.map((spec) => spec.path), ...others]
  return readLayer({ entries: flat, specs: optionTable, isText: false, nameOf, known })
}

function flatten(path: string, value: unknown): (readonly [path: string, value: unknown])[] {
  if (!groups.has(path) || !isRecord(value)) return [[path, value]]
  return Object.entries(value).flatMap(([name, one]: [string, unknown]) =>
    one === undefined ? [] : flatten(`${path}.${name}`, one)
  )
}

/** Options of the environment: everything that begins with TAILRACE_ must be known. */
export function layerOfEnvironment(environment: Environment): OptionLayer {
  const known = [...textual.map((spec) => environmentName(spec.path)), ...otherEnvironment]
  const paths = new Map(textual.map((spec) => [environmentName(spec.path), spec.path]))
  const entries = Object.entries(environment)
    .filter(([name]) => name.startsWith('TAILRACE_') && !otherEnvironment.includes(name))
    .map(([name, value]): [string, unknown] => [paths.get(name) ?? name, value])
  const nameOf = (path: string): string =>
    path.startsWith('TAILRACE_') ? path : environmentName(path)
  return readLayer({ entries, specs: textual, isText: true, nameOf, known })
}

/** Options of the command line, by path, as text; which flags exist is the command's business. */
export function layerOfFlags(flags: Readonly<Record<string, unknown>>): OptionLayer {
  const nameOf = (path: string): string =>
    optionTable.find((spec) => spec.path === path)?.flag ?? `--${path}`
  const entries = Object.entries(flags).filter(([, value]) => value !== undefined)
  return readLayer({ entries, specs: textual, isText: true, nameOf, known: [] })
}

interface LayerParts {
  readonly entries: readonly (readonly [path: string, value: unknown])[]
  readonly specs: readonly OptionSpec[]
  readonly isText: boolean
  readonly nameOf: (path: string) => string
  readonly known: readonly string[]
}

function readLayer({ entries, specs, isText, nameOf, known }: LayerParts): OptionLayer {
  const values = new Map<string, unknown>()
  const problems: Problem[] = []
  for (const [path, given] of entries) {
    const spec = specs.find((one) => one.path === path)
    if (spec === undefined) {
      problems.push(unknownOption(nameOf(path), path, given, known))
      continue
    }
    const reading = readOption(spec.kind, given, isText)
    if (reading.expected === undefined) values.set(path, reading.value)
    else {
      const message = `is ${shown(path, given)}; expected ${reading.expected}`
      problems.push({ path: nameOf(path), message })
    }
  }
  // Who names a port wants the pages, whatever a weaker layer says; certificates likewise.
  for (const switched of ['web', 'tls']) {
    const isNamed = [...values.keys()].some((path) => path.startsWith(`${switched}.`))
    if (isNamed && !values.has(switched)) values.set(switched, true)
  }
  return { values, problems, nameOf }
}

function unknownOption(
  name: string,
  path: string,
  given: unknown,
  known: readonly string[]
): Problem {
  const near = nearest(path, known)
  const message = `is ${shown(path, given)}, and there is no such option`
  const fix = near === undefined ? 'See docs/reference/options.md.' : `Did you mean ${near}?`
  return { path: name, message, fix }
}

/** A misspelled name may hold a secret too; only of these is it known that they hold none. */
const open: ReadonlySet<string> = new Set(['sasl.mechanism', 'sasl.username', 'sasl.tokenFile'])

/** A value for a message: short, and never what may be a secret. */
function shown(path: string, given: unknown): string {
  const hidden = '(not shown)'
  if (!open.has(path) && /pass|pwd|secret|token|credential|sasl|key/i.test(path)) return hidden
  if (typeof given === 'function') return 'a function'
  const whole = typeof given === 'bigint' ? `${given}n` : (JSON.stringify(given) ?? String(given))
  if (whole.includes('-----BEGIN')) return hidden
  // The login of a URL.
  const text = whole.replaceAll(/\/\/[^\s"]*@/g, '//***@')
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
