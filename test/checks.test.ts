// The compiler, the formatter and the linter have nothing to say about this tree.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from './house/source.ts'

const run = promisify(execFile)

/** Runs a tool of the repository; its own words become the failure. */
async function isQuiet(tool: string, ...args: string[]): Promise<void> {
  const program = join(root, 'node_modules', '.bin', tool)
  const shell = process.platform === 'win32'
  await run(program, args, { cwd: root, shell, maxBuffer: 1 << 26 }).catch((error: unknown) => {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    assert.fail(`${tool} ${args.join(' ')}\n${stdout ?? ''}${stderr ?? String(error)}`)
  })
}

test('everything type-checks, the lines that must be refused included', async () => {
  await isQuiet('tsc', '-p', '.')
})

test('the sources alone type-check as they are published', async () => {
  await isQuiet('tsc', '-p', 'tsconfig.build.json', '--noEmit')
})

test('everything is formatted (npm run format)', async () => {
  await isQuiet('biome', 'format', '.')
})

test('no promise is left floating, no case forgotten', async () => {
  await isQuiet('oxlint')
})
