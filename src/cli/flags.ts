// The flags that are options of the app: which commands take them, and how they reach a node.
import type { Flags } from '../host/runner.ts'

/** What commander made of the command line. */
export type Given = Readonly<Record<string, string | boolean | undefined>>

interface Flag {
  readonly text: string
  readonly doc: string
  /** Of the option; undefined where it is not one. */
  readonly path: string | undefined
}

/** Options that a worker takes, and so do the nodes of a swarm. */
export const workerFlags: readonly Flag[] = [
  flag('--web-port <port>', 'web.port', 'port of the web pages; 0 takes any that is free'),
  flag('--web-host <address>', 'web.host', 'address of the web pages'),
  flag('--without-web', undefined, 'serve no web pages'),
  flag('--guarantee <which>', 'guarantee', 'exactly-once or at-least-once'),
  flag(
    '--replication-factor <copies>',
    'replicationFactor',
    'Kafka: copies of the topics that the app makes for itself; -1 as the brokers have it'
  ),
  flag('--static', 'static', 'Kafka: be a static member, named by host and data directory'),
  flag('--instance-id <name>', 'instanceId', 'Kafka: be a static member of this name'),
  flag('--rack <name>', 'rack', 'Kafka: where this worker runs, to read from a replica of there'),
  flag('--include-agents <names>', 'includeAgents', 'run only these agents'),
  flag('--exclude-agents <names>', 'excludeAgents', 'run all agents but these'),
  flag('--include-topics <names>', 'includeTopics', 'read only these topics'),
  flag('--exclude-topics <names>', 'excludeTopics', 'read all topics but these')
]

export const swarmFlags: readonly Flag[] = [
  flag('--nodes <number|auto>', 'swarm.nodes', 'workers to run; auto is one a core'),
  flag('--control-port <port>', 'swarm.port', 'port of the supervisor; 0 takes any that is free'),
  flag('--control-host <address>', 'swarm.host', 'address of that port')
]

const globalFlags: readonly Flag[] = [
  flag('--app <module>', undefined, ''),
  flag('--log-level <level>', 'logLevel', ''),
  flag('--broker <url>', 'broker', ''),
  flag('--datadir <directory>', 'datadir', ''),
  flag('--json', undefined, '')
]

function flag(text: string, path: string | undefined, doc: string): Flag {
  return { text, path, doc }
}

/** Options of the app by path; the table of options says what they take. */
export function flagsOf(given: Given): Flags {
  const known = [...globalFlags, ...workerFlags, ...swarmFlags]
  const pairs = known.flatMap((one) =>
    one.path === undefined ? [] : [[one.path, given[nameOf(one)]] as const]
  )
  return { ...Object.fromEntries(pairs), web: given['withoutWeb'] === true ? false : undefined }
}

/** The command line that means the same for another command of ours. */
export function argumentsOf(given: Given, command: string, flags: readonly Flag[]): string[] {
  return [
    ...globalFlags.flatMap((one) => written(given, one)),
    command,
    ...flags.flatMap((one) => written(given, one))
  ]
}

function written(given: Given, one: Flag): string[] {
  const value = given[nameOf(one)]
  if (value === undefined || value === false) return []
  const long = longOf(one)
  // As one word: a value may begin with a dash.
  return [value === true ? long : `${long}=${value}`]
}

function longOf({ text }: Flag): string {
  return text.split(' ')[0] ?? ''
}

/** As commander names it: `--web-port` is webPort. */
function nameOf(one: Flag): string {
  return longOf(one)
    .slice(2)
    .replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
