// Stands for a test runner: two files at once, which it does not outlive.
import { spawn } from 'node:child_process'
import { join } from 'node:path'

const file = join(import.meta.dirname, 'uses-shared-broker.ts')
for (const _ of [1, 2]) {
  spawn(process.execPath, [file], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, NODE_TEST_CONTEXT: 'child-v8', TAILRACE_TEST_KAFKA: '' }
  })
}
