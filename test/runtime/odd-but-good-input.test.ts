// Input that looks bad and is not, on the embedded log.
import { onLog } from './embedded-log.ts'
import { largeRecordIsRead, oddButGood } from './odd-but-good-scenes.ts'

for (const [name, run] of Object.entries(oddButGood)) onLog(name, run)

onLog('a record larger than this app may send is read, and dead-lettered whole', (log) =>
  largeRecordIsRead(log)
)
