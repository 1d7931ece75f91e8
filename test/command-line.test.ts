// The command line as a shell sees it: what it prints, and the code it exits with.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { optionTable } from '../src/host/option-table.ts'
import { root } from './house/source.ts'

const directory = mkdtempSync(join(tmpdir(), 'command-line-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const app = join(root, 'test', 'fixtures', 'cli-app.ts')

const limits = { timeout: 180_000 } as const

interface Run {
  readonly child: ChildProcess
  readonly said: { out: string; err: string }
  /** Resolves when the text stands in what was printed. */
  saw(text: string | RegExp): Promise<void>
  readonly ended: Promise<number | NodeJS.Signals | null>
}

function start(t: TestContext, args: readonly string[], environment = {}): Run {
  const child = spawn(process.execPath, [join(root, 'bin', 'tailrace.js'), ...args], {
    cwd: directory,
    env: { PATH: process.env['PATH'] ?? '', HOME: directory, ...environment }
  })
  t.after(() => child.kill('SIGKILL'))
  const said = { out: '', err: '' }
  child.stdout.on('data', (bytes: Buffer) => (said.out += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (said.err += bytes.toString()))
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal)
  const hasSeen = (text: string | RegExp): boolean =>
    typeof text === 'string'
      ? `${said.out}${said.err}`.includes(text)
      : text.test(`${said.out}${said.err}`)
  const saw = async (text: string | RegExp): Promise<void> => {
    while (!hasSeen(text)) {
      const turn = await Promise.race([
        once(child.stdout, 'data'),
        once(child.stderr, 'data'),
        ended.then((code) => ({ code }))
      ])
      if ('code' in turn && !hasSeen(text)) {
        assert.fail(`ended with ${turn.code} before ${String(text)}:\n${said.out}${said.err}`)
      }
    }
  }
  return { child, said, saw, ended }
}

async function run(t: TestContext, ...args: string[]): Promise<{ code: unknown; text: string }> {
  const one = start(t, args)
  const code = await one.ended
  return { code, text: one.said.out + one.said.err }
}

test('every option that says it is a flag is one of a swarm', limits, async (t) => {
  const { code, text } = await run(t, 'swarm', '--help')
  assert.equal(code, 0)
  const flags = optionTable.flatMap(({ flag }) => flag ?? [])
  assert.deepEqual(
    flags.filter((flag) => !text.includes(`  ${flag} `)),
    []
  )
})

test(
  'a worker has every flag of a swarm but those that only a swarm can have',
  limits,
  async (t) => {
    const [worker, swarm] = await Promise.all([
      run(t, 'worker', '--help'),
      run(t, 'swarm', '--help')
    ])
    const flagsIn = (text: string): string[] => text.match(/^ {2}(?:-\w, )?--[\w-]+/gm) ?? []
    const own = flagsIn(swarm.text).filter((flag) => !flagsIn(worker.text).includes(flag))
    assert.deepEqual(own, ['  --nodes', '  --control-port', '  --control-host'])
  }
)

test('questions about an app: options before or after, as text and as JSON', limits, async (t) => {
  const [agents, asData, tables, drawing] = await Promise.all([
    run(t, '-A', app, 'agents'),
    run(t, 'agents', '--json', '-A', app),
    run(t, '-A', app, 'tables'),
    run(t, 'topology', '-A', app, '--mermaid')
  ])
  assert.equal(agents.code, 0)
  assert.match(agents.text, /@count-pages +cli-app-by-page-repartition +pages .*Counts the visits/)
  assert.match(agents.text, /@say +cli-app-say +- +numbers/)
  const names = (JSON.parse(asData.text) as { name: string }[]).map(({ name }) => name)
  assert.deepEqual(names.toSorted(), ['count-pages', 'say'])
  assert.match(tables.text, /pages +tumbling 1m, grace 10s, kept 1d +@count-pages/)
  assert.match(drawing.text, /^flowchart LR\n/)
})

test(
  'a topology and tables as text and as data, of an app without its ending',
  limits,
  async (t) => {
    const proj = join(root, 'test', 'fixtures', 'cli-app')
    const [text, data, tables] = await Promise.all([
      run(t, '-A', proj, 'topology'),
      run(t, '-A', proj, 'topology', '--json'),
      run(t, '--json', 'tables', '-A', `${proj}:app`)
    ])
    assert.equal(text.code, 0)
    assert.match(text.text, /^app cli-app\n/)
    assert.match(text.text, /group +by-page: from visits; to cli-app-by-page-repartition/)
    assert.match(
      text.text,
      /table +pages \(tumbling 1m, grace 10s, kept 1d\), kept in cli-app-pages-changelog/
    )
    const view = JSON.parse(data.text) as { app: string; topics: { name: string }[] }
    assert.equal(view.app, 'cli-app')
    assert.ok(view.topics.some(({ name }) => name === 'visits'))
    const [pages] = JSON.parse(tables.text) as Record<string, unknown>[]
    assert.equal(pages?.['name'], 'pages')
    assert.equal(pages['writer'], 'count-pages')
  }
)

test('wrong use exits with 64 and says what was meant', limits, async (t) => {
  const cases: readonly (readonly [args: readonly string[], text: RegExp])[] = [
    [[], /Usage: tailrace/],
    [['-A', app, 'wroker'], /unknown command 'wroker'\n\(Did you mean worker\?\)/],
    [['-A', app, 'worker', '--web-prot', '1'], /Did you mean --web-port\?/],
    [
      ['-A', app, 'topology', '--mermiad'],
      /unknown option '--mermiad'.*\n.*Did you mean --mermaid\?/
    ],
    [['-A', app, 'send', 'visits', '1', '--parttion', '1'], /Did you mean --partition\?/],
    [['-A', app, 'agents', '--jsn'], /Did you mean --json\?/],
    [['-A', app, 'send', 'visits'], /missing required argument 'value'/],
    [['agents'], /TAILRACE_CONFIG_APP_MISSING: no app was named/],
    [['-A', app, 'worker', '--web-port', 'x'], /--web-port: is "x"; expected a whole number/],
    [
      ['-A', app, 'worker', '--include-agents', 'sya'],
      /agent "sya": is no agent of the app\n.*Did you mean "say"\?/
    ],
    [['-A', app, 'swarm', '--nodes', 'all'], /--nodes: is "all"; expected auto, or a whole number/],
    [['-A', 'nowhere', 'agents'], /TAILRACE_CONFIG_APP_MISSING/],
    [['-A', app, 'send', 'vists', '1'], /no topic "vists"; did you mean "visits"\?/],
    [['-A', app, 'send', '@count-pages', '1'], /reads a derived stream/],
    [['-A', app, 'worker', '--broker', 'kafka://a/b'], /has more than addresses/]
  ]
  const runs = await Promise.all(cases.map(([args]) => run(t, ...args)))
  runs.forEach(({ code, text }, index) => {
    assert.match(text, cases[index]?.[1] ?? /^$/)
    assert.equal(code, 64, text)
    assert.doesNotMatch(text, /^\s+at /m)
  })
})

test('help and version are no mistake; each command shows an example', limits, async (t) => {
  const commands = ['worker', 'send', 'agents', 'tables', 'topology', 'topics']
  const [version, ...helps] = await Promise.all([
    run(t, '--version'),
    ...commands.map((command) => run(t, command, '--help'))
  ])
  const whole = await run(t, '--help')
  assert.equal(whole.code, 0)
  assert.match(whole.text, /Examples:\n {2}\$ tailrace -A app\.ts worker -l info\n/)
  for (const command of commands) assert.match(whole.text, new RegExp(`^ {2}${command} `, 'm'))
  assert.match(version?.text ?? '', /^\d+\.\d+\.\d+\n$/)
  for (const { code, text } of helps) {
    assert.equal(code, 0)
    assert.match(text, /Exit codes: 0 /)
  }
  for (const [index, command] of commands.entries()) {
    const example = new RegExp(`Example:\\n {2}\\$ tailrace -A app\\.ts ${command}\\b`)
    assert.match(helps[index]?.text ?? '', example)
  }
})

test('send checks the record, and a worker gets it; TERM stops it with 0', limits, async (t) => {
  const bad = await run(t, '-A', app, 'send', 'visits', '{"page":1}', '-k', 'me')
  assert.equal(bad.code, 1)
  assert.match(bad.text, /TAILRACE_SCHEMA_INVALID: the value of a record for "visits"/)
  const sent = await run(t, '-A', app, 'send', 'visits', '{"page":"home"}', '-k', 'me', '--json')
  assert.equal(sent.code, 0, sent.text)
  assert.equal(JSON.parse(sent.text).topic, 'visits')
  const said = await run(t, '-A', app, 'send', '@say', '42')
  assert.match(said.text, /^sent to cli-app-say, partition \d, offset 0\n$/)

  const worker = start(t, ['worker', '-l', 'info', '--web-port', '0'], { TAILRACE_APP: app })
  await worker.saw('counted home')
  await worker.saw('said 42')
  await worker.saw(/web +http:\/\/127\.0\.0\.1:\d+/)
  for (const text of [
    /app +cli-app, pid/,
    /\(the default: no broker was named\)/,
    /exactly-once:/
  ]) {
    assert.match(worker.said.out, text)
  }
  const url = /web +(\S+)/.exec(worker.said.out)?.[1] ?? ''
  assert.equal((await fetch(`${url}/broken`)).status, 500)
  const page = { page: 'after' }
  const more = await run(t, '-A', app, 'send', 'visits', JSON.stringify(page), '-k', 'me')
  assert.equal(more.code, 0, more.text)
  await worker.saw('counted after')
  assert.equal(((await (await fetch(`${url}/pages`)).json()) as unknown[]).length, 2)
  worker.child.kill('SIGUSR1')
  await worker.saw(/worker .*: running, ready/)
  worker.child.kill('SIGTERM')
  assert.equal(await worker.ended, 0, worker.said.err)
  assert.doesNotMatch(worker.said.err, /Warning/)
})

test(
  'QUIT stops at once, with 2; with --json the report is one line of JSON',
  limits,
  async (t) => {
    const worker = start(t, ['-A', app, 'worker', '--json', '--without-web'])
    await worker.saw('"event":"started"')
    const line = worker.said.out.split('\n').find((one) => one.includes('"event":"started"'))
    const report = JSON.parse(line ?? '') as Record<string, unknown>
    assert.equal(report['app'], 'cli-app')
    assert.equal(report['web'], undefined)
    assert.equal(report['store'], 'level')
    assert.equal(typeof report['restored'], 'number')
    assert.deepEqual((report['topics'] as Record<string, number>)['visits'], 2)
    worker.child.kill('SIGQUIT')
    assert.equal(await worker.ended, 2)
    for (const line of worker.said.err.trim().split('\n')) JSON.parse(line)
  }
)

test('a port that is taken ends the start with 1, and names the next', limits, async (t) => {
  const first = start(t, ['-A', app, 'worker', '--web-port', '0'])
  await first.saw(/web +http:\/\/127\.0\.0\.1:\d+/)
  const port = /web +\S+:(\d+)/.exec(first.said.out)?.[1] ?? ''
  const second = await run(t, '-A', app, 'worker', '--web-port', port)
  assert.equal(second.code, 1)
  assert.match(second.text, /TAILRACE_WEB_PORT_TAKEN: port \d+ .*; port \d+ is free/)
  assert.doesNotMatch(second.text, /^\s+at /m)
  first.child.kill('SIGINT')
  assert.equal(await first.ended, 0)
})

test('the pages are on 127.0.0.1:6066 unless another place is named', limits, async (t) => {
  // Whoever has the port, this test or another program: the worker must name it and the next.
  const holder = createServer()
  t.after(() => holder.close())
  holder.once('error', () => undefined)
  const isHeld = new Promise((resolve) => {
    for (const event of ['listening', 'error']) holder.once(event, resolve)
  })
  holder.listen(6066, '127.0.0.1')
  await isHeld
  const refused = await run(t, '-A', app, 'worker', '--datadir', join(directory, 'port'))
  assert.equal(refused.code, 1, refused.text)
  assert.match(
    refused.text,
    /port 6066 of 127\.0\.0\.1 is used by another program; port \d+ is free/
  )
  assert.match(refused.text, /Use --web-port \d+, or serve none with --without-web\./)
})

test(
  'the report says where it works: directory, address, and what was restored',
  limits,
  async (t) => {
    const [broker, datadir] = [
      `embedded:${join(directory, 'own-log')}`,
      join(directory, 'own-data')
    ]
    const own = ['-A', app, '--broker', broker, '--datadir', datadir]
    const begin = async (...args: string[]): Promise<Run> => {
      const worker = start(t, [...own, 'worker', '--web-port', '0', ...args])
      await worker.saw(/^web +/m)
      return worker
    }
    const end = async (worker: Run): Promise<void> => {
      worker.child.kill('SIGTERM')
      assert.equal(await worker.ended, 0, worker.said.err)
    }
    const first = await begin('--web-host', '127.0.0.1', '-l', 'silent')
    assert.match(
      first.said.out,
      /^app +cli-app, pid \d+\nbroker +embedded:\S+own-log\nguarantee +exact/m
    )
    assert.match(first.said.out, /^store +level in \S+own-data\/worker-0$/m)
    assert.match(first.said.out, /^topics +.*visits \(2\)/m)
    assert.match(first.said.out, /^tasks +\d+ of this worker$/m)
    assert.match(first.said.out, /^restored +nothing to restore$/m)
    for (const page of ['a', 'b', 'c']) {
      const sent = await run(t, ...own, 'send', 'visits', JSON.stringify({ page }), '-k', 'me')
      assert.equal(sent.code, 0, sent.text)
      await first.saw(`counted ${page}`)
    }
    await end(first)
    assert.equal(first.said.err, '', 'silent is silent')

    rmSync(datadir, { recursive: true })
    const second = await begin('-l', 'info')
    assert.match(second.said.out, /^restored +3 records$/m)
    const url = /^web +(\S+)$/m.exec(second.said.out)?.[1] ?? ''
    assert.equal(((await (await fetch(`${url}/pages`)).json()) as unknown[]).length, 3)
    await end(second)
  }
)
