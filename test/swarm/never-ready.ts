// The jobs in a process that waits for ever before its worker starts.
import { jobsApp } from './jobs.ts'

const { app: waitingApp } = jobsApp()
waitingApp.on('node.start', () => new Promise(() => undefined))
export const app: typeof waitingApp = waitingApp
