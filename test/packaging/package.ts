// The package as a stranger gets it: packed from a copy of the tree, installed in an empty folder.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../house/source.ts'

const execute = promisify(execFile)
const shell = process.platform === 'win32'

/** Runs a program to its end; what it printed becomes the failure. */
export async function run(cwd: string, program: string, ...args: string[]): Promise<string> {
  const options = { cwd, shell, maxBuffer: 1 << 26, env: environment() }
  const { stdout } = await execute(program, args, options).catch((error: unknown) => {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    return assert.fail(`${program} ${args.join(' ')}\n${stdout ?? ''}${stderr ?? String(error)}`)
  })
  return stdout
}

/** With this Node first, and without what would lead an inner npm, Node or worker astray. */
export function environment(): NodeJS.ProcessEnv {
  const own =
    /^npm_(?:package|lifecycle|config_(?:local_prefix|prefix))|^INIT_CWD$|^NODE_|^TAILRACE_/
  const kept = Object.entries(process.env).filter(([name]) => !own.test(name))
  const path = [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter)
  return { ...Object.fromEntries(kept), PATH: path }
}

/** What `npm install` of a user gets told: nothing to look up, nothing to ask. */
export const quiet: readonly string[] = ['--prefer-offline', '--no-audit', '--no-fund']

export interface Packed {
  readonly filename: string
  readonly files: readonly { readonly path: string; readonly mode: number }[]
}

export interface Stranger {
  readonly folder: string
  readonly tarball: string
  readonly packed: Packed
  /** The empty folder, with this package in it once `install` has run. */
  readonly app: string
  install(...packages: string[]): Promise<void>
  remove(): Promise<void>
}

/** Runs `npm pack` as a release would; whoever calls it removes what it made. */
export async function meetStranger(): Promise<Stranger> {
  const folder = await mkdtemp(join(tmpdir(), 'tailrace-package-'))
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true, maxRetries: 5 })
  try {
    const packed = await pack(folder)
    const tarball = join(folder, packed.filename)
    const app = join(folder, 'app')
    await mkdir(app)
    const install = async (...packages: string[]): Promise<void> => {
      await run(app, 'npm', 'install', ...quiet, tarball, ...packages)
    }
    return { folder, tarball, packed, app, install, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

// From a copy, because packing builds `dist` anew, under the hands of whoever else packs or runs.
async function pack(folder: string): Promise<Packed> {
  const copy = join(folder, 'tree')
  const leftOut = /^(?:node_modules|dist|coverage|\.git|\.tailrace)$/
  await cp(root, copy, {
    recursive: true,
    filter: (path) => !leftOut.test(relative(root, path))
  })
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction')
  const said = await run(copy, 'npm', 'pack', '--json', '--pack-destination', folder)
  const answer = JSON.parse(said.slice(said.search(/^[[{]/m))) as Packed[] | Record<string, Packed>
  return Object.values(answer)[0] ?? assert.fail(said)
}

/** Another Node of npm's `node` package; what npm said when it could not be had. */
export async function fetchNode(
  folder: string,
  version: string
): Promise<{ readonly program: string } | { readonly refusal: string }> {
  const home = join(folder, `node-${version}`)
  await mkdir(home)
  const manifest = { private: true, allowScripts: { node: true } }
  await writeFile(join(home, 'package.json'), JSON.stringify(manifest))
  try {
    await run(home, 'npm', 'install', ...quiet, `node@${version}`)
  } catch (error) {
    return { refusal: String(error) }
  }
  const program = join(home, 'node_modules', 'node', 'bin', 'node')
  assert.equal(await run(home, program, '--version'), `v${version}\n`)
  return { program }
}
