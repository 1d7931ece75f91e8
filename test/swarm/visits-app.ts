// The visits of the process tests, as an app that a supervisor can be given.
import type { App } from 'tailrace'
import { visitsApp } from '../process/visits.ts'

const { app: visits } = visitsApp()
export const app: App = visits
