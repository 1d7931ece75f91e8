// Starts a broker of its own and waits to be killed.
import { ownBroker } from '../broker.ts'

const broker = await ownBroker()
const { directory } = broker
process.stdout.write(`${JSON.stringify({ broker: broker.node().pid, directory })}\n`)
setInterval(() => undefined, 2 ** 30)
