// Who is measured, and how each is started: all of them get the same settings by environment
// variables, and say on stdout when they see the first record and when the last.
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Guarantee } from '../options.ts'
import type { Java } from './java.ts'

/** What one start of a worker is to do. */
export interface Assignment {
  readonly workload: 'w1' | 'w2' | 'echo'
  readonly input: string
  readonly output: string
  readonly group: string
  /** Where it keeps its state. */
  readonly directory: string
  /** Records until it says `last`. */
  readonly records: number
  readonly guarantee: Guarantee
}

export interface Candidate {
  readonly name: string
  /** Keeps its table as Kafka Streams does, so that its changelog can be checked. */
  readonly isStreams: boolean
  readonly isOurs: boolean
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

export interface Form {
  readonly form: 'loop' | 'handler'
  readonly commitMs: number
}

export function envOf(assignment: Assignment, broker: string): Record<string, string> {
  const { directory, group, guarantee, input, output, records, workload } = assignment
  return {
    BROKER: broker,
    WORKLOAD: workload,
    IN_TOPIC: input,
    OUT_TOPIC: output,
    GROUP: group,
    STATE_DIR: directory,
    N: String(records),
    WORKER_ID: 'w0',
    EOS: guarantee === 'exactly-once' ? '1' : '0',
    NODE_NO_WARNINGS: '1'
  }
}

/** Tailrace; `worker` is where `buildProduct` has put it. */
export function ours(
  { commitMs, form }: Form,
  { profile, worker }: { readonly profile: string | undefined; readonly worker: string }
): Candidate {
  const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
  return {
    name: 'ours',
    isOurs: true,
    isStreams: false,
    command: [process.execPath, ...flags, worker],
    env: { FORM: form, COMMIT_MS: String(commitMs) }
  }
}

const peerNames = 'ks, ks-nocache and, with TAILRACE_PEERS, those of its folder'

/** A peer by its name; its commit interval is 1 s unless the workload says otherwise. */
export function peer(name: string, java: Java): Candidate {
  const env = { COMMIT_MS: '1000' }
  if (name === 'ks' || name === 'ks-nocache') {
    const cache: Record<string, string> = name === 'ks' ? {} : { CACHE: '0' }
    const command = java.command('Streams', { heap: '1g' })
    return { name, command, env: { ...env, ...cache }, isOurs: false, isStreams: true }
  }
  const folder = process.env['TAILRACE_PEERS']
  if (folder === undefined || folder === '') {
    throw new Error(`the peer ${name} needs TAILRACE_PEERS, the folder that has it`)
  }
  const work = process.env['PEERS_WORK'] ?? join(homedir(), '.cache', 'tailrace-peers')
  const found = others(folder, work)[name]
  if (found === undefined) throw new Error(`there is no peer ${name}: ${peerNames}`)
  const missing = found.command.find((part) => part.startsWith('/') && !existsSync(part))
  if (missing !== undefined) {
    throw new Error(`the peer ${name} cannot run here: ${missing} is missing; left out`)
  }
  const all = { ...env, PEERS_WORK: work, ...found.env }
  return { name, command: found.command, env: all, isOurs: false, isStreams: false }
}

type Others = Record<string, Pick<Candidate, 'command' | 'env'> | undefined>

function others(folder: string, work: string): Others {
  const node = (file: string, changelog: string): Pick<Candidate, 'command' | 'env'> => ({
    command: [process.execPath, join(folder, 'node', file)],
    env: { CHANGELOG: changelog }
  })
  const faust = (env: Record<string, string>): Pick<Candidate, 'command' | 'env'> => ({
    command: [
      join(work, 'venv/bin/python'),
      join(folder, 'py/faust_peer.py'),
      ...['worker', '-l', 'warn', '--without-web']
    ],
    env
  })
  const quix = [join(work, 'venv-quix/bin/python'), join(folder, 'py/quix_peer.py')]
  return {
    'kafkajs-map': node('kafkajs_peer.mjs', '0'),
    'kafkajs-clog': node('kafkajs_peer.mjs', '1'),
    'plt-map': node('platformatic_peer.mjs', '0'),
    'plt-clog': node('platformatic_peer.mjs', '1'),
    'faust-mem': faust({ STORE: 'memory://' }),
    'faust-rocks': faust({ STORE: 'rocksdb://', DRIVER: 'python-rocksdb' }),
    quix: { command: quix, env: {} },
    goka: { command: [join(work, 'goka-peer')], env: {} }
  }
}
