// The docs, executed: every ts block compiles, every program runs and prints what the page says.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { copyFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { Program } from '../examples/program.ts'
import { type Block, blocksOf, examplesOf, expectedOf, moduleOf } from './docs/blocks.ts'
import { installedFolder } from './docs/folder.ts'
import { isShipped, readTree, root } from './house/source.ts'

const paths = readTree().map(({ path }) => path)
const pages = paths.filter((path) => path.endsWith('.md'))
const blocks = [
  ...pages.flatMap((page) => blocksOf(page, join(root, page))),
  ...paths.filter(isShipped).flatMap((path) => examplesOf(path, join(root, path)))
]
// The README's own program has a test of its own.
const programs = blocks.filter(({ isProgram, page }) => isProgram && page !== 'README.md')
const fileOf = (block: Block): string =>
  `${block.page.replace(/\.(?:md|ts)$/, '').replaceAll(/[^a-z0-9]+/gi, '-')}-${block.line}.ts`

let folder: string

before(async () => {
  folder = await installedFolder()
  await copyFile(join(root, 'test/docs/prelude.ts'), join(folder, 'prelude.ts'))
  for (const block of blocks) await writeFile(join(folder, fileOf(block)), moduleOf(block))
})

after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))

test('there are pages, examples and programs', () => {
  const guide = pages.filter((page) => page.startsWith('docs/guide/'))
  const silent = guide.filter((page) => !blocks.some((block) => block.page === page))
  // Tables of names and of commands; everything else shows its code.
  assert.deepEqual(silent, ['docs/guide/cli.md', 'docs/guide/from-faust.md'])
  assert.ok(programs.length > 5, `${programs.length} programs`)
  assert.ok(blocks.some(({ page }) => page.startsWith('src/')))
})

test('every ts block compiles', { timeout: 300_000 }, async () => {
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { rootDir: '/', typeRoots: ['./node_modules/@types'] },
    include: ['*.ts']
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const compiler = join(root, 'node_modules/.bin/tsc')
  const shell = process.platform === 'win32'
  const options = { cwd: folder, shell, timeout: 240_000 }
  await promisify(execFile)(compiler, ['-p', '.'], options).catch(
    (error: { readonly stdout?: string }) => assert.fail(located(error.stdout || String(error)))
  )
})

/** Names the page and its line where the compiler names the file that was made of the block. */
function located(said: string): string {
  return said.replace(/^(\S+?\.ts)\((\d+),/gm, (whole, file: string, line: string) => {
    const block = blocks.find((one) => fileOf(one) === file)
    if (block === undefined) return whole
    const added = moduleOf(block)
      .split('\n')
      .indexOf(block.code.split('\n')[0] ?? '')
    return `${block.page}:${block.line + Number(line) - 1 - added}(${line},`
  })
}

suite('programs', { concurrency: 2 }, () => {
  for (const block of programs) {
    test(`${block.page}:${block.line} prints what it says`, { timeout: 120_000 }, async (t) => {
      const expected = expectedOf(block)
      assert.ok(expected.length > 0, 'it has lines "// → …"')
      const program = new Program(t, {
        command: `npx node --conditions=tailrace-source ${fileOf(block)}`,
        folder,
        environment: { TAILRACE_BROKER: 'memory:' }
      })
      await program.until(() => isPrinted(expected, program.lines), String(expected))
      const isWorker = /\bapp\.main\(\)/.test(block.code)
      const exit = await (isWorker ? program.end('SIGTERM') : program.exited)
      assert.deepEqual(exit, { code: 0, signal: null }, program.lines.join('\n'))
    })
  }
})

/** True when the lines hold all that is expected, in its order; others may stand between. */
function isPrinted(expected: readonly RegExp[], lines: readonly string[]): boolean {
  let next = 0
  for (const line of lines) if (expected[next]?.test(line) === true) next++
  return next === expected.length
}

test('every link inside the docs leads to something', () => {
  const broken = pages.flatMap((page) =>
    linksOf(page)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !leads(page, target))
      .map((target) => `${page}: ${target}`)
  )
  assert.deepEqual(broken, [])
})

const proseOf = (page: string): string =>
  readFileSync(join(root, page), 'utf8').replaceAll(/^```[^]*?^```$/gm, '')

/** Targets of `[text](target)`, also of a text that goes over a line. */
const linksOf = (page: string): string[] =>
  [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)

function leads(page: string, target: string): boolean {
  const [file = '', anchor] = target.split('#')
  const path = file === '' ? join(root, page) : resolve(root, dirname(page), file)
  if (!existsSync(path)) return false
  if (anchor === undefined || !path.endsWith('.md')) return true
  const headings = readFileSync(path, 'utf8').matchAll(/^#+ (.*)$/gm)
  return [...headings].some(([, heading = '']) => anchorOf(heading) === anchor)
}

const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')

test('each guarantee names a test that shows it, and that `npm test` runs', () => {
  const lines = readFileSync(join(root, 'docs/guarantees.md'), 'utf8').split('\n')
  const rows = lines.filter((line) => /^\| (?!.*shown by)/.test(line))
  assert.ok(rows.length > 25, `${rows.length} guarantees`)
  for (const row of rows) {
    const shownBy = row.split(' | ').at(-1) ?? ''
    const targets = [...shownBy.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
    assert.ok(targets.length > 0, row)
    for (const target of targets) {
      assert.match(target, /^\.\.\/(?:src|test|examples)\/.*\.test\.ts$/, row)
      const path = target.slice('../'.length)
      assert.ok(paths.includes(path), `${path} of: ${row}`)
    }
  }
})

test('every page of the docs is reached from the README', () => {
  const reached = new Set(['README.md'])
  for (const page of reached) {
    for (const target of linksOf(page)) {
      const path = join(dirname(page), target.replace(/#.*/, '')).replaceAll('\\', '/')
      if (pages.includes(path)) reached.add(path)
    }
  }
  const lost = pages.filter((page) => page.startsWith('docs/') && !reached.has(page))
  assert.deepEqual(lost, [])
})

test('every path that the docs name is there', () => {
  const named = /`((?:src|test|docs|examples|bench|scripts|tools|types|bin)\/[^`\s*{}<>…]+)`/g
  const missing = pages.flatMap((page) =>
    [...proseOf(page).matchAll(named)]
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(join(root, path)))
      .map((path) => `${page}: ${path}`)
  )
  assert.deepEqual(missing, [])
})

test('DESIGN.md names every folder of src, and no file that is not there', () => {
  const text = proseOf('DESIGN.md')
  const folders = new Set(paths.filter(isShipped).map((path) => `${dirname(path)}/`))
  folders.delete('src/')
  assert.deepEqual(
    [...folders].filter((one) => !text.includes(`\`${one}\``)),
    []
  )
  const named = [...text.matchAll(/`([\w./-]+\.ts)`/g)].map(([, name = '']) => name)
  assert.deepEqual(
    named.filter((name) => !paths.some((path) => path === name || path.endsWith(`/${name}`))),
    []
  )
})
