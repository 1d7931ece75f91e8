// One error class and one catalogue of codes: every failure a user can meet has its entry here.

export interface CatalogueEntry {
  /** What it means, in one sentence. */
  readonly meaning: string
  /** What to do about it. */
  readonly fix: string
}

/** Families say who can act: CONFIG and TOPOLOGY the developer, SCHEMA the data, STATE and
 * TRANSPORT the operator, AGENT the developer at run time, BUG us. */
export const catalogue = {
  TAILRACE_AGENT_ASYNC_STEP: {
    meaning: 'A map or filter step of a stream returned a promise.',
    fix: 'Await inside the agent: its loop is the place for what takes time.'
  },
  TAILRACE_AGENT_ENDED: {
    meaning: 'An agent returned although its partition is still assigned and records remain.',
    fix: 'Use `continue` to skip an event, and `events.stop()` to end the loop on purpose.'
  },
  TAILRACE_AGENT_FROZEN: {
    meaning: 'An agent changed the value of an event or of a table in place.',
    fix: 'Make a new value: `table.update(key, (old) => ({ ...old, count: old.count + 1 }))`.'
  },
  TAILRACE_AGENT_NO_EVENT: {
    meaning: 'A table was written or an output sent while no event of that agent was open.',
    fix: 'Write inside the loop, before asking for the next event; await what you start there.'
  },
  TAILRACE_AGENT_OTHER_KEY: {
    meaning: 'With `concurrency` above 1 a handler used a row of another key than its event has.',
    fix: 'Group the stream by that key first, or set `concurrency: 1`.'
  },
  TAILRACE_AGENT_READ_ONLY: {
    meaning: 'An agent tried to write a table that it only reads.',
    fix: 'Name the table under `tables` of the one agent that writes it.'
  },
  TAILRACE_AGENT_STALLED: {
    meaning: 'One event was worked on for longer than `stallTimeout`.',
    fix: 'Look at the stack in the log; raise `stallTimeout` if the work is meant to be that long.'
  },
  TAILRACE_AGENT_TIMEOUT: {
    meaning: 'The handler of one event took longer than the `timeout` of its agent.',
    fix: 'Raise the timeout, or make the work shorter; the error policy decides about the event.'
  },
  TAILRACE_BUG_INVARIANT: {
    meaning: 'Something that must hold does not; the worker stopped rather than go on wrongly.',
    fix: 'Please report it with the message and the log.'
  },
  TAILRACE_CONFIG_APP_AMBIGUOUS: {
    meaning: 'The module exports more than one app.',
    fix: 'Choose one: `tailrace -A file.ts:exportName`.'
  },
  TAILRACE_CONFIG_APP_MISSING: {
    meaning: 'The module named by -A was not found or exports no app.',
    fix: 'Export what `createApp` returns: `export const app = createApp({ id: … })`.'
  },
  TAILRACE_CONFIG_APP_THREW: {
    meaning: 'The module named by -A threw while it was imported.',
    fix: 'See the cause; the module must load before anything can start.'
  },
  TAILRACE_CONFIG_DURATION: {
    meaning: 'A duration is negative, not finite or of an unknown unit.',
    fix: "Use milliseconds or a text such as '250ms', '10s', '5m', '1h', '7d'."
  },
  TAILRACE_CONFIG_HOOKS: {
    meaning: 'The module of `swarm.hooks` was not found, or threw while it was imported.',
    fix: 'Name a file seen from the working directory, or its whole path; the cause says the rest.'
  },
  TAILRACE_CONFIG_INVALID: {
    meaning: 'Options are wrong; each problem is listed with its path.',
    fix: 'Mend each listed option; nothing was started.'
  },
  TAILRACE_CONFIG_STARTED: {
    meaning: 'The app was changed, or started again, while a worker of it runs.',
    fix: 'Declare everything before `start`; stop the worker before starting another.'
  },
  TAILRACE_CONFIG_STOPPED: {
    meaning: 'The worker was told to stop before it had started.',
    fix: 'Nothing, if it was meant; else look for who called `stop` or sent the signal.'
  },
  TAILRACE_SCHEMA_ASYNC: {
    meaning: 'A schema validates asynchronously where the answer is needed at once.',
    fix: 'Async schemas work for source topics; use a synchronous one for tables, outputs and keys.'
  },
  TAILRACE_SCHEMA_DECODE: {
    meaning: 'The bytes of a record are not what its codec reads.',
    fix: "Check the topic's codec and what was sent; the error policy decides about the record."
  },
  TAILRACE_SCHEMA_ENCODE: {
    meaning: 'A value cannot be turned into bytes by its codec.',
    fix: 'Send what the codec can write, or name another codec for the topic or table.'
  },
  TAILRACE_SCHEMA_INVALID: {
    meaning: 'A key or value does not fit its schema.',
    fix: 'Compare the listed problems with the schema; a record that was read has its error policy.'
  },
  TAILRACE_SCHEMA_NULL: {
    meaning: 'A key or value is null and its schema does not accept null.',
    fix: 'Accept null in the schema, or leave the key schema out.'
  },
  TAILRACE_SCHEMA_TOO_DEEP: {
    meaning: 'A value is nested deeper than 1,000 levels.',
    fix: 'Flatten the value; nesting this deep is almost always a mistake or an attack.'
  },
  TAILRACE_SCHEMA_TOO_LARGE: {
    meaning: 'A record is larger than `recordBytesMax`.',
    fix: 'Send less (a reference instead of the thing), or raise `recordBytesMax`.'
  },
  TAILRACE_SCHEMA_UNSAFE_KEY: {
    meaning: 'A JSON object holds a `__proto__` or `constructor.prototype` key.',
    fix: 'Nobody sends these by accident: look at who produced the record.'
  },
  TAILRACE_SCHEMA_UNWRITABLE: {
    meaning: 'What the schema makes of a value cannot be written so that it reads back equal.',
    fix: 'Let the schema accept its own output, or use a codec that can write it.'
  },
  TAILRACE_STATE_CORRUPT: {
    meaning: 'The store of this worker cannot be read.',
    fix: 'Delete the directory named in the message: it is rebuilt from the changelogs.'
  },
  TAILRACE_STATE_FOREIGN: {
    meaning: 'The directory holds a store or log of another app, or of a newer format.',
    fix: 'Name another directory, or run the version that wrote it.'
  },
  TAILRACE_STATE_FULL: {
    meaning: 'The disk is full.',
    fix: 'Free space and start again: the changelog is the truth and nothing is lost.'
  },
  TAILRACE_STATE_LOCKED: {
    meaning: 'Another process has the directory open.',
    fix: 'Stop it, or name another directory with --datadir.'
  },
  TAILRACE_STATE_NETWORK_DISK: {
    meaning: 'The directory is on a network file system, where locks cannot be trusted.',
    fix: 'Name a directory on a local disk.'
  },
  TAILRACE_STATE_UNWRITABLE: {
    meaning: 'The directory cannot be written.',
    fix: 'Check its owner and rights, or name another directory.'
  },
  TAILRACE_SWARM_GAVE_UP: {
    meaning: 'A node of the swarm ends again and again, or cannot start at all.',
    fix: 'See the reason in the message, and what the node printed; then start the swarm again.'
  },
  TAILRACE_SWARM_NOT_DESCRIBED: {
    meaning: 'The app could not be imported to see what it declares, so no node was started.',
    fix: 'Import it by itself (`node app.ts`): it must neither exit nor wait for ever.'
  },
  TAILRACE_SWARM_NOT_FOUND: {
    meaning: 'No swarm answers where its control port was looked for.',
    fix: 'Name its port with --control-port, or its data directory with --datadir.'
  },
  TAILRACE_SWARM_OUTPUT_LOST: {
    meaning: 'What reads the output of a node is gone; it is that of all, and the swarm stops.',
    fix: 'Start the swarm again with an output that stays, as a file or a service has it.'
  },
  TAILRACE_SWARM_PORT: {
    meaning: 'The control port of a swarm cannot be listened at.',
    fix: 'Name another with --control-port; 0 takes any that is free.'
  },
  TAILRACE_SWARM_REFUSED: {
    meaning: 'A swarm does not do what it was told to do.',
    fix: 'See the message, and `tailrace swarm status`.'
  },
  TAILRACE_SWARM_ROLL_FAILED: {
    meaning: 'A rolling restart stopped, because a node did not come back or another went down.',
    fix: 'See what the node printed; the other nodes go on as they were.'
  },
  TAILRACE_TABLE_NOT_LOCAL: {
    meaning: 'The key belongs to a partition that another worker has.',
    fix: 'Ask the worker named in the message.'
  },
  TAILRACE_TABLE_NOT_READY: {
    meaning: 'The partition of the key is being moved or restored.',
    fix: 'Ask again in a moment.'
  },
  TAILRACE_TABLE_VALUE: {
    meaning: 'A table was given a value it cannot hold.',
    fix: 'Give a value that fits the schema; use `delete` to remove a key.'
  },
  TAILRACE_TABLE_WINDOW: {
    meaning: 'A windowed table was written at a time it does not accept.',
    fix: 'Pass the event, a Date or milliseconds since 1970.'
  },
  TAILRACE_TABLE_WRONG_PARTITION: {
    meaning: 'An agent wrote a key that belongs to another partition than its task.',
    fix: 'Group the stream by that key first: `app.stream(topic).groupBy(name, …)`.'
  },
  TAILRACE_TOPOLOGY_INVALID: {
    meaning: 'The declared topology cannot run; each problem is listed.',
    fix: 'Mend each listed problem; nothing was started.'
  },
  TAILRACE_TRANSPORT_AUTHENTICATION: {
    meaning: 'The broker refused the login, or asks for one that was not given.',
    fix: 'Check the SASL mechanism, the user name and the password.'
  },
  TAILRACE_TRANSPORT_BROKER_VERSION: {
    meaning: 'The Kafka broker is too old, or does not speak what is needed.',
    fix: 'Use Kafka 3.9 or newer.'
  },
  TAILRACE_TRANSPORT_CERTIFICATE: {
    meaning: 'The certificate of the broker is not trusted, or it does not trust ours.',
    fix: 'Name the CA that signed it; the name in the URL must be one the certificate has.'
  },
  TAILRACE_TRANSPORT_CLOSED: {
    meaning: 'The log was used after it was closed.',
    fix: 'Send before the worker stops.'
  },
  TAILRACE_TRANSPORT_CORRUPT: {
    meaning: 'Bytes in the log do not match their checksum or form.',
    fix: 'Check the disk; records before and after are untouched.'
  },
  TAILRACE_TRANSPORT_DUPLICATE_INSTANCE: {
    meaning: 'Another worker joined the group under the same static id, and this one gave way.',
    fix: 'Give each worker an `instanceId` of its own, or stop the one that is too many.'
  },
  TAILRACE_TRANSPORT_FENCED: {
    meaning: 'A newer producer of the same id, or a newer owner of the task, took over.',
    fix: 'Nothing, if a worker was paused or replaced; its work goes on elsewhere.'
  },
  TAILRACE_TRANSPORT_FORBIDDEN: {
    meaning: 'The user that logged in has no right to do this.',
    fix: 'Give the right named in the message (an ACL of Kafka) to this user.'
  },
  TAILRACE_TRANSPORT_FOREIGN_GROUP: {
    meaning: 'The consumer group of this app is used by another kind of client.',
    fix: 'Choose another `id` for the app, or stop the other client; its offsets are left alone.'
  },
  TAILRACE_TRANSPORT_OUT_OF_RANGE: {
    meaning: 'The next offset to read is no longer in the log, or not yet.',
    fix: 'Choose by `onOffsetLost`; the message says how many records are affected.'
  },
  TAILRACE_TRANSPORT_PARTITIONS: {
    meaning: 'A topic exists with another number of partitions than declared or needed.',
    fix: 'Declare the number it has, or make the topic anew.'
  },
  TAILRACE_TRANSPORT_REFUSED: {
    meaning: 'The log refused a request because of what it asks for.',
    fix: 'See the cause: a name, a number or a setting that the log does not accept.'
  },
  TAILRACE_TRANSPORT_SQLITE_VERSION: {
    meaning: 'This Node carries an SQLite with a bug that several writers can hit.',
    fix: 'Use Node 22.22.3 or newer 22, or 24.15 or newer.'
  },
  TAILRACE_TRANSPORT_TLS: {
    meaning: 'One side speaks TLS and the other does not.',
    fix: 'Turn TLS on or off, or use the port of the other listener.'
  },
  TAILRACE_TRANSPORT_TOPIC_SETTINGS: {
    meaning:
      'A topic exists with settings by which records would be lost, or could not be written.',
    fix: 'Change each listed setting, or delete the topic if what it holds can go.'
  },
  TAILRACE_TRANSPORT_UNAVAILABLE: {
    meaning: 'The log could not be reached or written in time.',
    fix: 'See the cause; the worker repeats what was not committed.'
  },
  TAILRACE_TRANSPORT_UNKNOWN_TOPIC: {
    meaning: 'A topic or partition does not exist.',
    fix: 'Check the name; declared topics are created when the app starts.'
  },
  TAILRACE_TRANSPORT_UNKNOWN_URL: {
    meaning: 'No transport is known for this broker URL.',
    fix: "Use 'embedded:<directory>', 'kafka://host:9092', 'memory:' or pass a transport."
  },
  TAILRACE_WEB_ADDRESS: {
    meaning: 'The web pages cannot be served at the address that was named.',
    fix: 'Name an address of this machine with `--web-host`, and a port that you may use.'
  },
  TAILRACE_WEB_PORT_TAKEN: {
    meaning: 'The web port is used by another program.',
    fix: 'Use the free port named in the message: `--web-port`.'
  }
} as const

/** The code of an error; docs/errors.md has what each means and what to do. Codes are stable. */
export type ErrorCode = keyof typeof catalogue

export interface ErrorDetails {
  /** What to do, when more is known than the catalogue says. */
  readonly hint?: string
  readonly cause?: unknown
  /** True when the failed write is known to have left nothing behind. */
  readonly isDefinite?: boolean
  /** Where it happened, as data: topic, partition, offset, agent, table. */
  readonly context?: Readonly<Record<string, string | number>>
}

/** Every error that Tailrace throws. `code` is stable; the text may change. */
export class TailraceError extends Error {
  override readonly name: string = 'TailraceError'
  readonly code: ErrorCode
  /** What to do about it, in a sentence. */
  readonly hint: string
  /** True when a write that failed is known to have left nothing behind. */
  readonly isDefinite: boolean
  /** Where it happened, as data: topic, partition, offset, agent, table. */
  readonly context: Readonly<Record<string, string | number>>

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(`${code}: ${message}`, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.hint = details.hint ?? catalogue[code].fix
    this.isDefinite = details.isDefinite ?? false
    this.context = details.context ?? {}
  }

  /** The message without its code. */
  get sentence(): string {
    return this.message.slice(this.code.length + 2)
  }

  /** The same error, told by somebody who knows where it happened. */
  within(where: string, context: ErrorDetails['context'] = {}): TailraceError {
    return new TailraceError(this.code, `${where}: ${this.sentence}`, {
      hint: this.hint,
      cause: this.cause ?? this,
      isDefinite: this.isDefinite,
      context: { ...this.context, ...context }
    })
  }
}

/** True when `error` is a Tailrace error with this code. */
export function hasCode(error: unknown, code: ErrorCode): error is TailraceError {
  return error instanceof TailraceError && error.code === code
}

/** Throws when one of our own assumptions is broken: going on would corrupt silently. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw brokenInvariant(message)
}

/** For `throw`, where making the message would cost each time that the invariant holds. */
export function brokenInvariant(message: string): TailraceError {
  return new TailraceError('TAILRACE_BUG_INVARIANT', message)
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
