/**
 * The test kit: apps on a log in memory, with time that the test owns.
 *
 * @module
 */
export type { Fault, FaultHook } from '../transport/memory/gate.ts'
export { VirtualClock, type VirtualClockOptions } from '../transport/memory/virtual-clock.ts'
export { ProcessClock } from './test-clock.ts'
export { type BytesRecord, type LoggedRecord, TestLog, type TestLogOptions } from './test-log.ts'
export { type DiskDelay, TestDisk, TestStore } from './test-store.ts'
export { startTestWorker, TestWorker, type TestWorkerOptions } from './test-worker.ts'
