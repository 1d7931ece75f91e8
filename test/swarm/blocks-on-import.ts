// An app whose import blocks for ever in a node, and not where it is only described.
import { type App, createApp } from 'tailrace'
import { say } from './jobs.ts'

if (process.argv.includes('worker')) {
  say('blocks', {})
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

export const app: App = createApp({ id: 'blocks', web: false })
