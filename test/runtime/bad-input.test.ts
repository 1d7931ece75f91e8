// Bad input on the embedded log, row by row.
import { badInput, titleOf } from './bad-input-rows.ts'
import { tryRow } from './bad-input-trial.ts'
import { onLog } from './embedded-log.ts'

for (const row of badInput) onLog(titleOf(row), (log) => tryRow(log, row))
