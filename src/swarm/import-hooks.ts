// The module of `swarm.hooks`: imported once, before any node is started.
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf, TailraceError } from '../core/errors.ts'

/** @throws TAILRACE_CONFIG_HOOKS */
export async function importHooks(hooks: string, directory: string = process.cwd()): Promise<void> {
  const file = resolve(directory, hooks)
  try {
    await import(pathToFileURL(file).href)
  } catch (error) {
    const [why = ''] = messageOf(error).split('\n')
    throw new TailraceError(
      'TAILRACE_CONFIG_HOOKS',
      `swarm.hooks is "${hooks}", and ${file} cannot be imported: ${why}`,
      { cause: error, hint: `Its path is relative to the working directory, ${directory}.` }
    )
  }
}
