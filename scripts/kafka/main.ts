// `npm run kafka`: a broker for developers, until Ctrl-C; what it holds goes with it.
import { parseArgs } from 'node:util'
import { KafkaCluster } from './cluster.ts'
import { kafkaVersions } from './jars.ts'

const { values } = parseArgs({
  options: {
    version: { type: 'string', default: kafkaVersions.newest },
    nodes: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false }
  }
})

if (values.help || (values.nodes !== '1' && values.nodes !== '3')) {
  process.stdout.write('npm run kafka -- [--nodes 1|3] [--version 4.3.1]\n')
  process.exit(values.help ? 0 : 64)
}
process.stdout.write(`Starting Apache Kafka ${values.version}; its first start downloads it.\n`)
const cluster = await KafkaCluster.start({
  version: values.version,
  nodes: values.nodes === '3' ? 3 : 1,
  // What developers meet elsewhere.
  config: { 'auto.create.topics.enable': 'true' }
})
process.stdout.write(`It runs. In another terminal:\n\nTAILRACE_BROKER=${cluster.url()}\n`)
process.stdout.write('\nCtrl-C ends it and deletes what it stored.\n')

// The broker lets this process end; only a signal may.
const stay = setInterval(() => undefined, 2 ** 30)
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    clearInterval(stay)
    void cluster.stop()
  })
}
