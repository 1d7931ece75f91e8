// What is said of each option in the table of them.
import type { WorkerSettings } from '../runtime/settings.ts'
import type { OptionKind } from './option-kinds.ts'

export interface OptionSpec {
  /** Path in code: `commitInterval`, `web.port`. */
  readonly path: string
  readonly kind: OptionKind
  /** As the docs say it. */
  readonly default: string
  /** One line for the docs. */
  readonly doc: string
  /** Flag of the command line that sets it. */
  readonly flag?: string
  /** The field of `WorkerSettings` that it becomes. */
  readonly setting?: keyof WorkerSettings
}
