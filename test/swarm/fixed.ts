// The jobs with partitions that are fixed to nodes.
import { jobsApp } from './jobs.ts'

const { app: fixedApp } = jobsApp({
  swarm: { assign: { work: JSON.parse(process.env['ASSIGN'] ?? '{}') } }
})
export const app: typeof fixedApp = fixedApp
