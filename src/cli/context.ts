// What a command of the command line is handed.
import { findApp, type FoundApp } from './find-app.ts'
import { flagsOf, type Given } from './flags.ts'

export interface CommandContext {
  readonly app: FoundApp
  /** Answers are data for programs, one JSON value. */
  readonly isJson: boolean
  readonly print: (text: string) => void
}

/** Imports the app that was named, with the flags that were given. */
export async function openContext(given: Given): Promise<CommandContext> {
  const named = given['app']
  const app = await findApp(typeof named === 'string' ? named : undefined, process.cwd())
  app.runner.useFlags(flagsOf(given))
  return { app, isJson: given['json'] === true, print: (text) => console.log(text) }
}
