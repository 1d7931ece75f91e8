// Each example does what its expect.json says; each has one, and a README that tells the command.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { onEachLog } from './logs.ts'
import { emptyFolder, Program, repository } from './program.ts'

interface Expectation {
  /** As a user types it in the repository. */
  readonly command: string
  readonly timeoutMs: number
  /** Each matches a line of its own, in any order. */
  readonly output: readonly string[]
  /** A worker runs until it is told to stop; other programs end by themselves. */
  readonly isWorker: boolean
}

const folders = readdirSync(join(repository, 'examples'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)

assert.ok(folders.length >= 6, 'the examples are here')

for (const name of folders) {
  const read = (file: string): string =>
    readFileSync(join(repository, 'examples', name, file), 'utf8')

  const limits = { timeout: 180_000 }
  onEachLog(`examples/${name} prints what it should`, limits, async (t, environment) => {
    const { command, timeoutMs, output, isWorker } = JSON.parse(read('expect.json')) as Expectation
    assert.ok(output.length > 0)
    const folder = await emptyFolder(t)
    const program = new Program(t, { command, folder, timeoutMs, environment })
    for (const pattern of output) await program.line(new RegExp(pattern))
    const exit = isWorker ? await program.end('SIGTERM') : await program.exited
    assert.deepEqual(exit, { code: 0, signal: null }, program.lines.join('\n'))
  })

  test(`examples/${name}/README.md tells the same command`, () => {
    const { command } = JSON.parse(read('expect.json')) as Expectation
    const readme = read('README.md')
    assert.ok(readme.includes(command), `${command} is not in it`)
    for (const heading of ['# ', '## Run', '## Expect'])
      assert.ok(readme.includes(heading), heading)
  })
}

test('the page of the examples names each, with a command of its own page', () => {
  const page = readFileSync(join(repository, 'examples/README.md'), 'utf8')
  const rows = [...page.matchAll(/^\| \[([\w-]+)\]\(\1\) \| .+ \| `(.+)` \|$/gm)]
  assert.deepEqual(rows.map(([, name = '']) => name).toSorted(), folders.toSorted())
  for (const [, name = '', command = ''] of rows) {
    const own = readFileSync(join(repository, 'examples', name, 'README.md'), 'utf8')
    assert.ok(own.split('\n').includes(command), `${command} is not a line of ${name}/README.md`)
  }
})
