// A scene of a process test: one log, its workers, what was sent, and the exact comparison.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Transport } from 'tailrace'
import type { FailpointLabel } from '../../src/port/failpoint.ts'
import { tryKill } from './gone.ts'
import { foldOf, outputProblems, type SentVisit, type Tables, tablesOf } from './ledger.ts'
import { isCommitted, rangesOf, readChangelogs, readSeen } from './log-reader.ts'
import { everyLog, type LogName, logsOf, openLog, type SceneLog } from './logs.ts'
import { type VisitsNames, visitsApp } from './visits.ts'
import { WorkerProcess } from './worker-process.ts'

export interface SceneWorker {
  /** Below the scene's folder; a folder of its own for each worker unless they share one. */
  readonly data?: string
  /** `label:n` of src/port/failpoint.ts. */
  readonly failpoint?: string
  readonly env?: Readonly<Record<string, string>>
  /** Another module than the plain app. */
  readonly module?: string
  readonly args?: readonly string[]
}

/** Visits of a slice, between two of them, and when it should be over. */
export interface Load {
  readonly slice?: number
  readonly everyMs?: number
  readonly limitMs?: number
}

/** Hit only by a test that fails, as all limits here are. */
const settleMsMax = 60_000

/** Long ago enough that a window is over, near enough that nothing has expired. */
const firstTimestamp = Math.floor(Date.now() / 60_000) * 60_000 - 3_600_000

export class Scene {
  readonly directory: string
  readonly log: SceneLog
  readonly sent: SentVisit[] = []
  readonly #app: ReturnType<typeof visitsApp>
  readonly #workers: WorkerProcess[] = []
  readonly #owned: number[] = []

  private constructor(directory: string, log: SceneLog) {
    this.directory = directory
    this.log = log
    this.#app = visitsApp({ broker: log.ownBroker, suffix: log.suffix, ...log.options })
  }

  static open(t: TestContext, name: LogName): Promise<Scene> {
    return Scene.on(t, (directory) => openLog(name, directory))
  }

  /** On a log of the test's own. */
  static async on(t: TestContext, open: (directory: string) => Promise<SceneLog>): Promise<Scene> {
    const directory = await mkdtemp(join(tmpdir(), 'tailrace-process-'))
    let scene: Scene | undefined
    t.after(async () => {
      if (scene !== undefined) await scene.#close()
      await rm(directory, { recursive: true, force: true })
    })
    scene = new Scene(directory, await open(directory))
    return scene
  }

  get broker(): string {
    return this.log.broker
  }

  get names(): VisitsNames {
    return this.log.names
  }

  get transport(): Transport {
    return this.log.transport
  }

  place(name: string): string {
    return join(this.directory, name)
  }

  worker({ args, data = 'data', env = {}, failpoint, module }: SceneWorker = {}): WorkerProcess {
    const worker = new WorkerProcess({
      module: resolve(import.meta.dirname, module ?? 'visits.ts'),
      cwd: this.directory,
      env: {
        TAILRACE_BROKER: this.broker,
        TAILRACE_DATADIR: this.place(data),
        // Many commits: each is a place to be killed at.
        TAILRACE_COMMIT_INTERVAL: '10ms',
        ...this.log.environment,
        ...(failpoint !== undefined && { TAILRACE_FAILPOINT: failpoint }),
        ...env
      },
      ...(args && { args })
    })
    this.#workers.push(worker)
    return worker
  }

  /** A process that a worker started: gone with the scene, however that ends. */
  owns(pid: number): void {
    this.#owned.push(pid)
  }

  /** Sends visits with the next ids; resolves when they are durable. */
  async send(count: number): Promise<void> {
    const visits = Array.from({ length: count }, (_, index): SentVisit => {
      const id = this.sent.length + index
      const timestamp = firstTimestamp + id * 37
      return { id, user: `user-${id % 17}`, page: `page-${(id * 7) % 23}`, timestamp }
    })
    this.sent.push(...visits)
    await Promise.all(
      visits.map(({ timestamp, ...value }) =>
        this.#app.visits.send({ key: value.user, value, timestamp })
      )
    )
  }

  /** Sends in slices until `isOver`, so that a worker is under load all the time. */
  async sendUntil(
    isOver: () => boolean,
    { everyMs = 5, limitMs = settleMsMax, slice = 100 }: Load = {}
  ): Promise<void> {
    const until = performance.now() + limitMs
    while (!isOver()) {
      assert.ok(performance.now() < until, `still not over:\n${this.texts}`)
      await this.send(slice)
      await sleep(everyMs)
    }
  }

  /** Resolves when further outputs have been committed: workers are at work right now. */
  async progress(records = 500): Promise<void> {
    const until = performance.now() + settleMsMax
    const count = async (): Promise<number> =>
      (await rangesOf(this.transport, this.names.seen)).reduce((sum, { end }) => sum + end, 0)
    const goal = (await count()) + records
    while ((await count()) < goal) {
      if (performance.now() > until) assert.fail(`nothing moves:\n${this.texts}`)
      await sleep(10)
    }
  }

  /** Resolves when everything sent is committed. */
  async settled(): Promise<void> {
    const until = performance.now() + settleMsMax
    const { app, byPage } = this.names
    for (const topic of [app, byPage]) {
      while (!(await isCommitted(this.transport, { group: app, topic }))) {
        if (performance.now() > until) assert.fail(`"${topic}" does not settle:\n${this.texts}`)
        await sleep(20)
      }
    }
  }

  /** Runs what is left in a fresh worker, stops it, and compares everything. */
  async finish(): Promise<void> {
    const last = await this.worker().started()
    await this.settled()
    await last.stop()
    await this.verify()
  }

  /** Compares outputs, changelogs and tables with the fold of the input; nothing runs any more. */
  async verify({ data = ['data'] }: { readonly data?: readonly string[] } = {}): Promise<void> {
    const expected = foldOf(this.sent)
    const problems = outputProblems(this.sent, await readSeen(this.log))
    assert.deepEqual(problems, [], this.texts)
    assert.deepEqual(await readChangelogs(this.log), expected, 'the changelogs')
    for (const name of data) {
      assert.deepEqual(await this.tablesFrom(name), expected, `the tables of "${name}"`)
    }
    assert.deepEqual(await this.tablesFrom('empty'), expected, 'the tables restored from nothing')
    // Those two starts found nothing to do again.
    assert.deepEqual(outputProblems(this.sent, await readSeen(this.log)), [])
  }

  /** What a worker of the test itself has in its tables; it stops again. */
  async tablesFrom(data: string): Promise<Tables> {
    const { app, pages, users, views } = visitsApp({
      broker: this.log.ownBroker,
      suffix: this.log.suffix,
      datadir: this.place(data),
      logLevel: 'silent',
      ...this.log.options
    })
    const worker = await app.start()
    try {
      const limit = Number.MAX_SAFE_INTEGER
      const panes = await Array.fromAsync(views.scan({ limit }), ([key, { start, value }]) => {
        return [`${key}@${start}`, value] as const
      })
      return tablesOf({
        users: await Array.fromAsync(users.scan({ limit })),
        pages: await Array.fromAsync(pages.scan({ limit })),
        views: panes
      })
    } finally {
      await worker.stop()
      await app.runner.close()
    }
  }

  /** What the workers printed. */
  get texts(): string {
    return this.#workers.map((worker, index) => `worker ${index + 1}:\n${worker.text}`).join('\n')
  }

  async #close(): Promise<void> {
    for (const pid of this.#owned) tryKill(pid, 'SIGKILL')
    for (const worker of this.#workers) await worker.putDown()
    await this.#app.app.runner.close()
    await this.log.close()
  }
}

/** A test with a scene of its own, on each of these logs. */
export function scene(
  name: string,
  run: (scene: Scene) => Promise<void>,
  logs: readonly LogName[] = everyLog
): void {
  for (const log of logs) {
    test(`${name} (${log})`, { timeout: 300_000 }, async (t) => run(await Scene.open(t, log)))
  }
}

/** Of what only the embedded log has: its files, and its writes. */
export function embeddedScene(name: string, run: (scene: Scene) => Promise<void>): void {
  scene(name, run, ['embedded'])
}

/** Kills a worker under load at the nth time that it comes to the label, and compares. */
export function killsAt(
  label: FailpointLabel,
  counts: readonly number[],
  worker: SceneWorker = {}
): void {
  const logs = logsOf(label)
  for (const n of counts) {
    const name = `killed at ${label}, time ${n}: nothing is lost or doubled`
    scene(name, (one) => killedAt(one, { ...worker, failpoint: `${label}:${n}` }), logs)
  }
}

async function killedAt(one: Scene, how: SceneWorker): Promise<void> {
  await one.send(300)
  const worker = one.worker(how)
  await one.sendUntil(() => worker.hasEnded)
  await worker.ends({ signal: 'SIGKILL' })
  await one.send(100)
  await one.finish()
}
