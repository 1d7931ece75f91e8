// Stands for a test file: uses the shared broker of its run until it is killed.
import { testBroker } from '../broker.ts'

const { servers } = await testBroker()
process.stdout.write(`${JSON.stringify({ pid: process.pid, servers })}\n`)
setInterval(() => undefined, 2 ** 30)
