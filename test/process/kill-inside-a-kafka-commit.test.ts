// Kafka was asked to commit, and the worker dies before it hears: all of it is there, or none.
import { killsAt } from './run.ts'

killsAt('kafka.end.sent', [1, 12])
