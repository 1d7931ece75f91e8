// The command line: what it takes, and which command answers. The commands are beside this file.
import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import { errorData, errorText } from '../host/error-text.ts'
import { exitCodeOf, exitCodes } from '../host/process.ts'
import type { Flags } from '../host/runner.ts'
import { quietWarnings } from '../runtime/quiet-warnings.ts'
import { agents } from './agents.ts'
import type { CommandContext } from './context.ts'
import { findApp } from './find-app.ts'
import { leave } from './leave.ts'
import { send } from './send.ts'
import { tables } from './tables.ts'
import { topics } from './topics.ts'
import { topology } from './topology.ts'

/** Runs one command; the exit code stands in `process.exitCode`, except for a worker. */
export async function main(args: readonly string[]): Promise<void> {
  quietWarnings()
  const program = programOf()
  try {
    await program.parseAsync(args, { from: 'user' })
    await ended(exitCodes.stopped)
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version are no mistake; everything else was told by commander already.
      return ended(error.exitCode === 0 ? exitCodes.stopped : exitCodes.usage)
    }
    const isJson = args.includes('--json')
    const text = isJson
      ? JSON.stringify({ event: 'failed', ...errorData(error) })
      : errorText(error)
    process.stderr.write(`${text}\n`)
    await ended(exitCodeOf(error))
  }
}

/** A module of the user may hold the loop for ever: a command ends when it has said its answer. */
async function ended(code: number): Promise<void> {
  await new Promise((resolve) => process.stdout.write('', resolve))
  process.exit(code)
}

const appHelp = `
Examples:
  $ tailrace -A app.ts worker -l info
  $ tailrace -A app.ts send page_views '{"pageId":"index","userId":"me"}' -k me
  $ tailrace -A app.ts topology --mermaid`

const exitHelp = `
Exit codes: 0 done or stopped, 1 failed or crashed, 2 stopped by force, 64 used wrongly.`

function programOf(): Command {
  const program = new Command('tailrace')
    .description('Stream processing for TypeScript: runs and inspects an app.')
    .version(version(), '-V, --version')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help says what there is)')
    .addOption(
      new Option('-A, --app <module[:export]>', 'module that exports the app').env('TAILRACE_APP')
    )
    .option('-l, --log-level <level>', 'debug, info, warn, error or silent')
    .option(
      '--broker <url>',
      'where the log is: embedded:<directory>, kafka://host:9092 or memory:'
    )
    .option('--datadir <directory>', 'where this worker keeps its tables')
    .option('--json', 'answer and log in JSON')
    .addHelpText('after', appHelp + exitHelp)
  addWorker(program)
  addSend(program)
  addQuestions(program)
  addTopics(program)
  for (const command of program.commands) {
    command.exitOverride().addHelpText('after', exitHelp).configureHelp({ showGlobalOptions: true })
  }
  return program
}

const replicationFlag = [
  '--replication-factor <copies>',
  'Kafka: copies of the topics that the app makes for itself; -1 as the brokers have it'
] as const

function addWorker(program: Command): void {
  example(
    program.command('worker'),
    'Runs a worker until it is told to stop (TERM or INT; QUIT or twice: at once).',
    'tailrace -A app.ts worker -l info --web-port 8088'
  )
    .option('--web-port <port>', 'port of the web pages; 0 takes any that is free')
    .option('--web-host <address>', 'address of the web pages')
    .option('--without-web', 'serve no web pages')
    .option('--guarantee <which>', 'exactly-once or at-least-once')
    .option(...replicationFlag)
    .option('--static', 'Kafka: be a static member, named by host and data directory')
    .option('--instance-id <name>', 'Kafka: be a static member of this name')
    .option('--rack <name>', 'Kafka: where this worker runs, to read from a replica of there')
    .option('--leave', 'Kafka: run nothing; take the static member that stopped out of its group')
    .action(async (options: { readonly leave?: boolean }, command: Command) => {
      const context = await contextOf(command)
      if (options.leave === true) await leave(context)
      else await context.app.runner.work({ isJson: context.isJson })
    })
}

function addSend(program: Command): void {
  example(
    program.command('send <topic> <value>'),
    'Sends one record to a topic, or to an agent as @name. The value is JSON, or else text.',
    `tailrace -A app.ts send page_views '{"pageId":"index","userId":"me"}' -k me`
  )
    .option('-k, --key <key>', 'key of the record')
    .option('--timestamp <time>', 'event time: milliseconds since 1970, or an ISO date')
    .option('--partition <number>', 'partition, instead of the one that the key has')
    .action(async (topic: string, value: string, _options: unknown, command: Command) => {
      const { key, partition, timestamp } = command.opts<Record<string, string | undefined>>()
      await send(await contextOf(command), { topic, value, key, partition, timestamp })
    })
}

function addQuestions(program: Command): void {
  example(program.command('agents'), 'Lists the agents.', 'tailrace -A app.ts agents').action(
    async (_options: unknown, command: Command) => agents(await contextOf(command))
  )
  example(program.command('tables'), 'Lists the tables.', 'tailrace -A app.ts tables').action(
    async (_options: unknown, command: Command) => tables(await contextOf(command))
  )
  example(
    program.command('topology'),
    'Draws how topics, agents and tables are connected, and checks it.',
    'tailrace -A app.ts topology --mermaid'
  )
    .option('--mermaid', 'as a Mermaid flow chart')
    .action(async (options: { readonly mermaid?: boolean }, command: Command) =>
      topology(await contextOf(command), { isMermaid: options.mermaid === true })
    )
}

function addTopics(program: Command): void {
  example(
    program.command('topics'),
    'Lists the topics of the app as the log has them.',
    'tailrace -A app.ts topics --plan'
  )
    .option('--plan', 'only what a start would create, and what differs')
    .option(...replicationFlag)
    .action(async (options: { readonly plan?: boolean }, command: Command) =>
      topics(await contextOf(command), { isPlan: options.plan === true })
    )
}

function example(command: Command, description: string, line: string): Command {
  return command.description(description).addHelpText('after', `\nExample:\n  $ ${line}`)
}

async function contextOf(command: Command): Promise<CommandContext> {
  const given = command.optsWithGlobals<Record<string, string | boolean | undefined>>()
  const named = given['app']
  const app = await findApp(typeof named === 'string' ? named : undefined, process.cwd())
  app.runner.useFlags(flagsOf(given))
  return { app, isJson: given['json'] === true, print: (text) => console.log(text) }
}

/** Options of the app by path; the table of options says what they take. */
function flagsOf(given: Readonly<Record<string, string | boolean | undefined>>): Flags {
  return {
    broker: given['broker'],
    guarantee: given['guarantee'],
    datadir: given['datadir'],
    logLevel: given['logLevel'],
    web: given['withoutWeb'] === true ? false : undefined,
    'web.port': given['webPort'],
    'web.host': given['webHost'],
    replicationFactor: given['replicationFactor'],
    static: given['static'],
    instanceId: given['instanceId'],
    rack: given['rack']
  }
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  const manifest: { readonly version?: string } = JSON.parse(readFileSync(file, 'utf8'))
  return manifest.version ?? ''
}
