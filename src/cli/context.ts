// What a command of the command line is handed.
import type { FoundApp } from './find-app.ts'

export interface CommandContext {
  readonly app: FoundApp
  /** Answers are data for programs, one JSON value. */
  readonly isJson: boolean
  readonly print: (text: string) => void
}
