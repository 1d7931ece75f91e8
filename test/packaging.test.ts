// What users install: packed, installed into an empty folder, imported and type-checked there.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { root } from './house/source.ts'

const execute = promisify(execFile)
const shell = process.platform === 'win32'

/** Runs a program to its end; what it printed becomes the failure. */
async function run(cwd: string, program: string, ...args: string[]): Promise<string> {
  const options = { cwd, shell, maxBuffer: 1 << 26, env: environment() }
  const { stdout } = await execute(program, args, options).catch((error: unknown) => {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    return assert.fail(`${program} ${args.join(' ')}\n${stdout ?? ''}${stderr ?? String(error)}`)
  })
  return stdout
}

/** Without what `npm test` sets for its own package, which would lead the inner npm astray. */
function environment(): NodeJS.ProcessEnv {
  const own = /^npm_(?:package|lifecycle|config_(?:local_prefix|prefix))|^INIT_CWD$|^NODE_OPTIONS$/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)))
}

const tool = (name: string): string => join(root, 'node_modules', '.bin', name)

interface Packed {
  readonly filename: string
  readonly files: readonly { readonly path: string; readonly mode: number }[]
}

interface Manifest {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
}

let folder: string
let packed: Packed
let tarball: string
let app: string
let subpaths: string[]

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailrace-package-'))
  const said = await run(root, 'npm', 'pack', '--json', '--pack-destination', folder)
  const answer = JSON.parse(said.slice(said.search(/^[[{]/m))) as Packed[] | Record<string, Packed>
  packed = Object.values(answer)[0] as Packed
  tarball = join(folder, packed.filename)
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest
  subpaths = Object.keys(manifest.exports).filter((path) => !path.endsWith('.json'))
  app = join(folder, 'app')
  await mkdir(app)
  await writeFile(join(app, 'package.json'), '{ "private": true, "type": "module" }\n')
  await run(app, 'npm', 'install', '--no-audit', '--no-fund', tarball, 'zod@4', '@types/node@24')
})

after(async () => {
  await rm(folder, { recursive: true, force: true })
})

test('the tarball holds what users need and nothing else', () => {
  const paths = packed.files.map((file) => file.path)
  const unexpected = paths.filter(
    (path) =>
      !/^(?:bin|dist|src)\/|^(?:package\.json|README\.md|CHANGELOG\.md|LICENSE)$/.test(path) ||
      /\.test\.|(?:^|\/)\.|\.tsbuildinfo$/.test(path)
  )
  assert.deepEqual(unexpected, [])
  for (const path of ['LICENSE', 'README.md', 'CHANGELOG.md', 'bin/tailrace.js']) {
    assert.ok(paths.includes(path), path)
  }
  const sources = paths.filter((path) => /^src\/.*\.ts$/.test(path))
  assert.ok(sources.length > 0)
  for (const source of sources) {
    const built = source.replace(/^src\//, 'dist/').replace(/\.ts$/, '')
    for (const ending of ['.js', '.d.ts', '.d.ts.map']) {
      assert.ok(paths.includes(built + ending), `${built}${ending} is missing`)
    }
  }
})

test('publint finds nothing', async () => {
  await run(root, tool('publint'), 'run', tarball, '--strict')
})

test('the types are right for every way of importing an ESM package', async () => {
  await run(root, tool('attw'), tarball, '--profile', 'esm-only', '--no-color', '--no-emoji')
})

test('each export can be imported', async () => {
  for (const subpath of subpaths) {
    const name = `tailrace${subpath.slice(1)}`
    const code = `console.log(JSON.stringify(Object.keys(await import('${name}'))))`
    const names = JSON.parse(await run(app, process.execPath, '--input-type=module', '-e', code))
    assert.notDeepEqual(names, [], `${name} exports nothing`)
  }
})

test('what is not exported cannot be reached', async () => {
  const code =
    "import('tailrace/dist/index.js').then(() => process.exit(3), (e) => console.log(e.code))"
  const said = await run(app, process.execPath, '-e', code)
  assert.equal(said.trim(), 'ERR_PACKAGE_PATH_NOT_EXPORTED')
})

test('the types of each export resolve where it is installed', async () => {
  const lines = subpaths.map(
    (subpath, index) => `export * as part${index} from 'tailrace${subpath.slice(1)}'`
  )
  await writeFile(join(app, 'all.ts'), `${lines.join('\n')}\n`)
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    module: 'nodenext',
    target: 'es2023',
    lib: ['esnext'],
    types: ['node'],
    skipLibCheck: false
  }
  const config = { compilerOptions, files: ['all.ts'] }
  await writeFile(join(app, 'tsconfig.json'), JSON.stringify(config))
  await run(app, tool('tsc'), '-p', '.')
})
