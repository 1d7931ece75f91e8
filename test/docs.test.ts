// The docs, executed: every ts block compiles, every program runs and prints what the page says.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { Program } from '../examples/program.ts'
import { type Block, blocksOf, expectedOf, moduleOf } from './docs/blocks.ts'
import { readTree, root } from './house/source.ts'

const pages = readTree()
  .map(({ path }) => path)
  .filter((path) => path.endsWith('.md'))
const blocks = pages.flatMap((page) => blocksOf(page, join(root, page)))
const fileOf = (block: Block): string =>
  `${block.page.replace(/\.md$/, '').replaceAll(/[^a-z0-9]+/gi, '-')}-${block.line}.ts`

let folder: string

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailrace-docs-'))
  // As installed by a user: the package and its tools are found by name.
  await mkdir(join(folder, 'node_modules'))
  const link = (to: string, name: string): Promise<void> =>
    symlink(to, join(folder, 'node_modules', name), 'junction')
  await link(root, 'tailrace')
  for (const name of ['zod', '@types']) await link(join(root, 'node_modules', name), name)
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
  await copyFile(join(root, 'test/docs/prelude.ts'), join(folder, 'prelude.ts'))
  for (const block of blocks) await writeFile(join(folder, fileOf(block)), moduleOf(block))
})

after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))

test('there are pages and programs', () => {
  assert.ok(blocks.length > 15, `${blocks.length} blocks`)
  assert.ok(blocks.filter((block) => block.isProgram).length > 5)
})

test('every ts block compiles', async () => {
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { rootDir: '/', typeRoots: ['./node_modules/@types'] },
    include: ['*.ts']
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const compiler = join(root, 'node_modules/.bin/tsc')
  const shell = process.platform === 'win32'
  await promisify(execFile)(compiler, ['-p', '.'], { cwd: folder, shell }).catch(
    (error: { readonly stdout?: string }) => assert.fail(located(error.stdout ?? String(error)))
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

for (const block of blocks.filter(({ isProgram }) => isProgram)) {
  test(`the program in ${block.page}:${block.line} prints what it says`, async (t) => {
    const expected = expectedOf(block)
    assert.ok(expected.length > 0, 'it has lines "// → …"')
    const program = new Program(t, {
      command: `npx node --conditions=tailrace-source ${fileOf(block)}`,
      folder,
      timeoutMs: 30_000,
      environment: { TAILRACE_BROKER: 'memory:' }
    })
    let next = 0
    let seen = 0
    const printedAll = (): boolean => {
      for (; seen < program.lines.length && next < expected.length; seen++) {
        if (expected[next]?.test(program.lines[seen] ?? '') === true) next++
      }
      return next === expected.length
    }
    await program.until(printedAll, String(expected))
    const isWorker = /\bapp\.main\(\)/.test(block.code)
    const exit = await (isWorker ? program.end('SIGTERM') : program.exited)
    assert.deepEqual(exit, { code: 0, signal: null }, program.lines.join('\n'))
  })
}

test('every link inside the docs leads to something', () => {
  const broken = pages.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8').replaceAll(/```[\s\S]*?```/g, '')
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
    return links
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !leads(page, target))
      .map((target) => `${page}: ${target}`)
  })
  assert.deepEqual(broken, [])
})

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
    .replaceAll(/[^\w\s-]/g, '')
    .replaceAll(' ', '-')
