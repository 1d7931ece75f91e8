// Which app the command line means: `-A proj`, `-A file.ts:export`, or TAILRACE_APP.
import { existsSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf, TailraceError } from '../core/errors.ts'
import { nearest } from '../core/problems.ts'
import type { AppRunner } from '../host/runner.ts'
import { runnerProtocol } from '../host/runner-protocol.ts'

/** The part of an app that commands use. */
export interface FoundApp {
  readonly runner: AppRunner
}

const endings = ['.ts', '.mts', '.js', '.mjs']

/**
 * Imports the module that `named` means, and takes the app out of it.
 *
 * @throws TAILRACE_CONFIG_APP_MISSING, TAILRACE_CONFIG_APP_AMBIGUOUS, TAILRACE_CONFIG_APP_THREW
 */
export async function findApp(named: string | undefined, directory: string): Promise<FoundApp> {
  if (named === undefined || named === '') {
    throw new TailraceError('TAILRACE_CONFIG_APP_MISSING', 'no app was named', {
      hint: 'Name its file: `tailrace -A app.ts …`, or set TAILRACE_APP=app.ts.'
    })
  }
  const { exportName, path } = split(named)
  const file = fileOf(path, directory)
  const shown = relative(directory, file) || file
  const exported = await load(file, shown)
  return exportName === undefined
    ? onlyApp(exported, { shown, named })
    : chosenApp(exported, { shown, exportName })
}

/** `file:export`; a single letter before the colon is a drive of Windows. */
function split(named: string): { readonly path: string; readonly exportName: string | undefined } {
  const match = /^(.{2,}):([A-Za-z_$][\w$]*)$/.exec(named)
  return { path: match?.[1] ?? named, exportName: match?.[2] }
}

function fileOf(path: string, directory: string): string {
  const base = resolve(directory, path)
  const tried = [
    base,
    ...endings.map((ending) => base + ending),
    ...endings.map((ending) => join(base, `index${ending}`))
  ]
  const found = tried.find((one) => existsSync(one) && statSync(one).isFile())
  if (found !== undefined) return found
  const names = tried.slice(1).map((one) => relative(directory, one))
  throw new TailraceError(
    'TAILRACE_CONFIG_APP_MISSING',
    `no module is at "${path}"; tried ${[path, ...names].join(', ')}`,
    { hint: `Name the file that exports the app, seen from ${directory}.` }
  )
}

async function load(file: string, shown: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const module: Readonly<Record<string, unknown>> = await import(pathToFileURL(file).href)
    return module
  } catch (error) {
    throw new TailraceError(
      'TAILRACE_CONFIG_APP_THREW',
      `${shown} threw while it was imported: ${messageOf(error).split('\n')[0] ?? ''}`,
      { cause: error, ...(isReadAsCommonJs(error) && { hint: moduleHint }) }
    )
  }
}

// `npm init` writes "type": "commonjs", and with it Node takes no import for an answer.
const moduleHint =
  'The package.json beside it must say "type": "module": run `npm pkg set type=module` there.'

function isReadAsCommonJs(error: unknown): boolean {
  if (!(error instanceof SyntaxError)) return false
  return /outside a module|^Unexpected token 'export'/.test(error.message)
}

function onlyApp(
  exported: Readonly<Record<string, unknown>>,
  { named, shown }: { readonly named: string; readonly shown: string }
): FoundApp {
  // One app exported under two names is one app.
  const names = new Map<FoundApp, string>()
  for (const [name, value] of Object.entries(exported)) {
    if (isApp(value, `${shown}:${name}`) && !names.has(value)) names.set(value, name)
  }
  const [first] = names.keys()
  if (first === undefined) {
    const list = Object.keys(exported).join(', ')
    const exports = list === '' ? 'nothing' : list
    throw new TailraceError(
      'TAILRACE_CONFIG_APP_MISSING',
      `${shown} exports no app; it exports ${exports}`
    )
  }
  if (names.size === 1) return first
  const choices = [...names.values()].map((name) => `-A ${named}:${name}`)
  throw new TailraceError(
    'TAILRACE_CONFIG_APP_AMBIGUOUS',
    `${shown} exports ${names.size} apps: ${[...names.values()].join(', ')}`,
    { hint: `Choose one: ${choices.join(' or ')}.` }
  )
}

function chosenApp(
  exported: Readonly<Record<string, unknown>>,
  { exportName, shown }: { readonly exportName: string; readonly shown: string }
): FoundApp {
  const value = exported[exportName]
  if (isApp(value, `${shown}:${exportName}`)) return value
  const near = nearest(exportName, Object.keys(exported))
  const guess = near === undefined || near === exportName ? '' : `; did you mean "${near}"?`
  const what = exportName in exported ? 'is no app' : 'is not exported'
  throw new TailraceError(
    'TAILRACE_CONFIG_APP_MISSING',
    `"${exportName}" of ${shown} ${what}${guess}`
  )
}

// By its form and not its class: the app may come from another copy of this package, such as
// the project's own when the command is installed globally.
function isApp(value: unknown, where: string): value is FoundApp {
  if (typeof value !== 'object' || value === null || !('runner' in value)) return false
  const { runner } = value
  if (typeof runner !== 'object' || runner === null || !('protocol' in runner)) return false
  if (runner.protocol === runnerProtocol) return true
  throw new TailraceError(
    'TAILRACE_CONFIG_APP_MISSING',
    `${where} is an app of another version of tailrace than this command`,
    { hint: 'Use the command of the project: `npx tailrace …` in its folder.' }
  )
}
