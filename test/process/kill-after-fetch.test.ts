// A worker killed with records in its hands that it has not looked at.
import { killsAt } from './run.ts'

killsAt('fetch.received', [1, 25])
