// Arms a kill point by the environment, for tests of crashes: TAILRACE_FAILPOINT=label:n, and
// label:n:stop for a process that sleeps there until somebody continues it.
import { nearest, refuseAll } from '../core/problems.ts'
import { armFailpoint, type FailpointLabel, failpoints } from '../port/failpoint.ts'
import type { Environment } from './option-layers.ts'

const variable = 'TAILRACE_FAILPOINT'

/**
 * The process ends by SIGKILL, or sleeps by SIGSTOP, when the label is reached for the nth time;
 * unset, nothing happens.
 * That production refuses it is seen with the other options.
 *
 * @throws TAILRACE_CONFIG_INVALID for a label that does not exist
 */
export function armFailpoints(environment: Environment): void {
  const text = environment[variable]
  if (text === undefined || text === '') return
  const [, label = '', n = '', stop] = /^([^:]*)(?::(.*?)(:stop)?)?$/s.exec(text) ?? []
  const isKnown = isLabel(label)
  const messages = [
    isKnown ? '' : `names "${label}", which is no kill point${guess(label)}`,
    /^[1-9]\d{0,8}$/.test(n) ? '' : `is ${JSON.stringify(text)}; expected label:n, n from 1`
  ]
  const problems = messages
    .filter((message) => message !== '')
    .map((message) => ({ path: variable, message }))
  refuseAll('TAILRACE_CONFIG_INVALID', 'the environment', problems)
  // Nothing of this process runs after it, which is what a test of a crash needs.
  const signal = stop === undefined ? 'SIGKILL' : 'SIGSTOP'
  if (isKnown) armFailpoint(label, Number(n), () => process.kill(process.pid, signal))
}

function isLabel(text: string): text is FailpointLabel {
  return Object.hasOwn(failpoints, text)
}

function guess(label: string): string {
  const near = nearest(label, Object.keys(failpoints))
  return near === undefined ? '' : `; did you mean "${near}"?`
}
