// A record that finishes while a commit is under way belongs to the next one, or to nobody.
import { killsAt } from './run.ts'

killsAt('event.finished-in-commit', [1, 60])
