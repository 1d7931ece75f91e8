// The command line: what it takes, and which command answers. The commands are beside this file.
import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import { errorData, errorText } from '../host/error-text.ts'
import { exitCodeOf, exitCodes, exitCodeTexts } from '../host/exit-codes.ts'
import { quietWarnings } from '../runtime/quiet-warnings.ts'
import { argumentsOf, type Given, swarmFlags, workerFlags } from './flags.ts'
import { swarmCommands } from './swarm-commands.ts'
import type { CommandContext } from './context.ts'

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

const exitCodeList = Object.entries(exitCodeTexts).map(([code, text]) => `${code} ${text}`)
const exitHelp = `\nExit codes: ${exitCodeList.join(', ')}.`

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
  addSwarm(program)
  addSend(program)
  addQuestions(program)
  addTopics(program)
  for (const command of program.commands) {
    command.exitOverride().addHelpText('after', exitHelp).configureHelp({ showGlobalOptions: true })
  }
  return program
}

function addWorker(program: Command): void {
  const worker = example(
    program.command('worker'),
    'Runs a worker until it is told to stop (TERM or INT; QUIT or twice: at once).',
    'tailrace -A app.ts worker -l info --web-port 8088'
  )
  for (const { doc, text } of workerFlags) worker.option(text, doc)
  worker
    .option('--leave', 'Kafka: run nothing; take the static member that stopped out of its group')
    .action(async (options: { readonly leave?: boolean }, command: Command) => {
      const { leave, work } = await import('./worker.ts')
      await (options.leave === true ? leave(await contextOf(command)) : work(givenOf(command)))
    })
}

function addSwarm(program: Command): void {
  const swarm = example(
    program.command('swarm'),
    'Runs several workers of this machine, and keeps them alive (TERM, INT and QUIT as a worker; ' +
      'HUP starts them anew one by one). Its commands are told to one that runs.',
    'tailrace -A app.ts swarm --nodes 4'
  )
  const described = program.command('swarm-describe', { hidden: true })
  for (const { doc, text } of [...swarmFlags, ...workerFlags]) {
    swarm.option(text, doc)
    described.option(text, doc)
  }
  addSwarmCommands(swarm)
  swarm.action(async (_options: unknown, command: Command) => {
    const given = givenOf(command)
    const { runSwarm } = await import('../swarm/run-swarm.ts')
    const code = await runSwarm({
      describe: argumentsOf(given, 'swarm-describe', [...swarmFlags, ...workerFlags]),
      worker: argumentsOf(given, 'worker', workerFlags),
      isJson: given['json'] === true
    })
    await ended(code)
  })
  described.action(async (_options: unknown, command: Command) => {
    // Nobody reads what it says any more.
    process.once('disconnect', () => process.exit(exitCodes.orphaned))
    const { describe } = await import('./describe.ts')
    await describe(await contextOf(command))
  })
}

function addSwarmCommands(swarm: Command): void {
  for (const { line, name, run, text } of swarmCommands) {
    example(swarm.command(name), text, line)
      .exitOverride()
      .addHelpText('after', exitHelp)
      .configureHelp({ showGlobalOptions: true })
      .action(async (...args: readonly unknown[]) => {
        const command = args.at(-1) as Command
        await run(givenOf(command), command.args[0])
      })
  }
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
      const { send } = await import('./send.ts')
      await send(await contextOf(command), { topic, value, key, partition, timestamp })
    })
}

function addQuestions(program: Command): void {
  example(program.command('agents'), 'Lists the agents.', 'tailrace -A app.ts agents').action(
    async (_options: unknown, command: Command) => {
      const { agents } = await import('./agents.ts')
      agents(await contextOf(command))
    }
  )
  example(program.command('tables'), 'Lists the tables.', 'tailrace -A app.ts tables').action(
    async (_options: unknown, command: Command) => {
      const { tables } = await import('./tables.ts')
      tables(await contextOf(command))
    }
  )
  example(
    program.command('topology'),
    'Draws how topics, agents and tables are connected, and checks it.',
    'tailrace -A app.ts topology --mermaid'
  )
    .option('--mermaid', 'as a Mermaid flow chart')
    .action(async (options: { readonly mermaid?: boolean }, command: Command) => {
      const { topology } = await import('./topology.ts')
      topology(await contextOf(command), { isMermaid: options.mermaid === true })
    })
}

function addTopics(program: Command): void {
  const replication = workerFlags.find(({ path }) => path === 'replicationFactor')
  example(
    program.command('topics'),
    'Lists the topics of the app as the log has them.',
    'tailrace -A app.ts topics --plan'
  )
    .option('--plan', 'only what a start would create, and what differs')
    .option(replication?.text ?? '', replication?.doc ?? '')
    .action(async (options: { readonly plan?: boolean }, command: Command) => {
      const { topics } = await import('./topics.ts')
      await topics(await contextOf(command), { isPlan: options.plan === true })
    })
}

function example(command: Command, description: string, line: string): Command {
  return command.description(description).addHelpText('after', `\nExample:\n  $ ${line}`)
}

function givenOf(command: Command): Given {
  return command.optsWithGlobals<Given>()
}

async function contextOf(command: Command): Promise<CommandContext> {
  const { openContext } = await import('./context.ts')
  return openContext(givenOf(command))
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  const manifest: { readonly version?: string } = JSON.parse(readFileSync(file, 'utf8'))
  return manifest.version ?? ''
}
