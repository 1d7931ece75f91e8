// The exported suite against one of our own transports, by `npm run conformance`.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const suites: Readonly<Record<string, string>> = {
  memory: 'src/transport/memory/memory.test.ts',
  embedded: 'src/transport/embedded/embedded.test.ts',
  kafka: 'test/kafka/conformance.test.ts'
}

// As in `npm run conformance -- --transport kafka --only 'a second member'`.
const { values } = parseArgs({
  options: {
    transport: { type: 'string', default: 'memory' },
    // Of one case, or the words that some have in common.
    only: { type: 'string' }
  }
})
const suite = suites[values.transport]
if (suite === undefined) {
  const known = Object.keys(suites).join(', ')
  process.stderr.write(`--transport ${values.transport} is not known; expected one of ${known}\n`)
  process.exitCode = 64
} else {
  const only = values.only === undefined ? [] : [`--test-name-pattern=${values.only}`]
  const args = ['--conditions=tailrace-source', '--test', ...only, suite]
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' })
  process.exitCode = status ?? 1
}
