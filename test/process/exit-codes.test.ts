// What a shell sees, case by case: 0 stopped, 1 crashed, 2 stopped by force, 64 used wrongly; and
// signal 9, the only end that a thread can give a process whose loop is blocked.
import assert from 'node:assert/strict'
import { scene, type SceneWorker } from './run.ts'
import type { Ending, WorkerProcess } from './worker-process.ts'

interface Case extends SceneWorker {
  readonly name: string
  /** Sent when the worker has printed the line. */
  readonly signals?: readonly (readonly [line: RegExp, signal: NodeJS.Signals])[]
  readonly said?: RegExp
}

const hooked = { module: 'hooked-visits.ts' }
const started = /^web +/m
const hook = (name: string, env: Readonly<Record<string, string>> = {}): SceneWorker => {
  return { ...hooked, env: { HOOK: name, HOOK_ID: '40', HOOK_MS: '600000', ...env } }
}

const stops: Readonly<Record<string, readonly Case[]>> = {
  0: [
    { name: 'TERM', signals: [[started, 'SIGTERM']] },
    { name: 'INT', signals: [[started, 'SIGINT']] },
    { name: 'HUP, when the terminal is closed', signals: [[started, 'SIGHUP']] }
  ],
  1: [
    { name: 'an event that nobody can handle', ...hook('throw'), said: /cannot be counted/ },
    { name: 'an error that nobody catches', ...hook('throw-later'), said: /nobody catches this/ },
    {
      name: 'a promise that nobody awaits and that rejects',
      ...hook('reject-later'),
      said: /nobody awaits this/
    },
    {
      name: 'an event that is never done',
      ...hook('never', { TAILRACE_STALL_TIMEOUT: '3s' }),
      said: /TAILRACE_AGENT_STALLED/
    }
  ],
  2: [
    { name: 'QUIT', signals: [[started, 'SIGQUIT']] },
    {
      name: 'TERM twice, beside an event that does not end',
      ...hook('never'),
      signals: [
        [/hook begins/, 'SIGTERM'],
        [/the worker stops/, 'SIGTERM']
      ]
    },
    {
      name: 'a stop that takes longer than shutdownTimeout',
      ...hook('never', { TAILRACE_SHUTDOWN_TIMEOUT: '500ms' }),
      signals: [[/hook begins/, 'SIGTERM']]
    }
  ],
  SIGKILL: [
    {
      name: 'a loop that is blocked for longer than stallTimeout',
      ...hook('compute', { TAILRACE_STALL_TIMEOUT: '3s' }),
      said: /TAILRACE_AGENT_STALLED/
    }
  ]
}

const endingOf = (shown: string): Partial<Ending> =>
  shown === 'SIGKILL' ? { signal: shown } : { code: Number(shown) }

async function play(
  worker: WorkerProcess,
  { said, signals = [] }: Case,
  shown: string
): Promise<void> {
  for (const [line, signal] of signals) {
    await worker.line(line)
    worker.signal(signal)
  }
  await worker.ends(endingOf(shown))
  if (said !== undefined) assert.match(worker.text, said)
}

for (const [shown, cases] of Object.entries(stops)) {
  for (const one of cases) {
    scene(`${shown}: ${one.name}`, async (world) => {
      await world.send(50)
      await play(world.worker(one), one, shown)
      // What was done before a crash stays done, and the event is there for a mended app.
      if (shown === '1') await world.finish()
    })
  }
}

scene('1: nobody reads its output any more', async (world) => {
  const worker = await world.worker({ ...hooked, env: { HOOK: 'never', HOOK_ID: '40' } }).started()
  worker.closeOutput()
  await world.send(50)
  await worker.ends({ code: 1 })
  assert.match(worker.text, /what reads the output of this worker is gone[^]*EPIPE/)
  await world.finish()
})

const mistakes: readonly Case[] = [
  {
    name: 'an option that is misspelt',
    env: { TAILRACE_COMMIT_INTERVALL: '1s' },
    said: /TAILRACE_COMMIT_INTERVAL\b/
  },
  { name: 'a value that is none', env: { TAILRACE_COMMIT_INTERVAL: 'often' }, said: /"often"/ },
  {
    name: 'a broker that is none',
    env: { TAILRACE_BROKER: 'embeded:log' },
    said: /did you mean "embedded:"\?/
  },
  {
    name: 'a kill point that is none',
    env: { TAILRACE_FAILPOINT: 'commit:1' },
    said: /no kill point/
  },
  {
    name: 'a module that throws',
    module: '../../bin/tailrace.js',
    args: ['-A', `${import.meta.dirname}/throwing-module.ts`, 'worker'],
    said: /TAILRACE_CONFIG_APP_THREW[^]*the module of the app throws/
  },
  {
    name: 'a module that exports no app',
    module: '../../bin/tailrace.js',
    args: ['-A', `${import.meta.dirname}/ledger.ts`, 'worker'],
    said: /TAILRACE_CONFIG_APP_MISSING[^]*it exports foldOf/
  },
  {
    name: 'a module that exports two apps',
    module: '../../bin/tailrace.js',
    args: ['-A', `${import.meta.dirname}/two-apps-module.ts`, 'worker'],
    said: /TAILRACE_CONFIG_APP_AMBIGUOUS[^]*2 apps: first, second[^]*two-apps-module\.ts:first/
  }
]
for (const one of mistakes) {
  scene(`64: ${one.name}`, async (world) => {
    const worker = world.worker(one)
    await play(worker, one, '64')
    if (one.module === undefined) {
      assert.doesNotMatch(worker.text, /^ +at /m, 'a mistake of the user has no stack of ours')
    }
  })
}
