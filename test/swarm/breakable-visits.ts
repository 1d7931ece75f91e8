// The visits app as a swarm runs it, and as a test holds or breaks it by files beside its log:
// `HOLD` keeps the first visit open, `BREAK` ends each process that imports this.
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from 'tailrace'
import { type Visit, visitsApp } from '../process/visits.ts'

if (existsSync('BREAK')) {
  process.stderr.write('broken by the test\n')
  process.exit(7)
}

async function hold(): Promise<void> {
  process.stdout.write('holds\n')
  while (existsSync('HOLD')) await sleep(10)
}

function before({ id }: Visit): void | Promise<void> {
  return id === 0 && existsSync('HOLD') ? hold() : undefined
}

export const app: App = visitsApp({ before }).app
