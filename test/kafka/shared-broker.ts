// The broker that all test files of one run share, in a process beside them: it runs while a file
// holds a connection to this process, and this process ends when the run does.
import { rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaCluster } from '../../scripts/kafka/cluster.ts'
import { isRunning } from './run-of-tests.ts'

/** Between two files that use it the broker stays; starting it takes 3 s. */
const idleMsMax = 15_000
const lookMs = 300

const [path, run] = process.argv.slice(2) as [string, string]
const users = new Set<Socket>()
let cluster: Promise<KafkaCluster> | undefined
let idleSince = performance.now()

const server = createServer((user) => {
  users.add(user)
  cluster ??= KafkaCluster.start()
  void tell(user, cluster)
  user.on('error', () => undefined)
  user.on('close', () => {
    users.delete(user)
    idleSince = performance.now()
  })
  // Nothing comes from a user but its end.
  user.resume()
})
// Left by one that was killed; who starts this process sees to it that there is one.
await rm(path, { force: true })
server.listen(path)

while (isRunning(Number(run))) {
  await sleep(lookMs)
  if (users.size === 0 && performance.now() - idleSince > idleMsMax) await stop()
}
server.close()
for (const user of users) user.destroy()
await stop()
await rm(dirname(path), { recursive: true, force: true })
process.exit()

async function tell(user: Socket, started: Promise<KafkaCluster>): Promise<void> {
  try {
    const { version, servers } = await started.then((one) => ({
      version: one.version,
      servers: one.servers()
    }))
    user.write(`${JSON.stringify({ servers, version })}\n`)
  } catch (error) {
    // The next user tries anew.
    if (cluster === started) cluster = undefined
    user.end(`${JSON.stringify({ error: String(error) })}\n`)
  }
}

async function stop(): Promise<void> {
  const running = cluster
  cluster = undefined
  // One that did not start has told its users why.
  await running?.then(
    (one) => one.stop(),
    () => undefined
  )
}
