/**
 * Suites for those who write a transport, a store or a codec of their own: each registers its
 * cases with `node:test`, one for every promise of the port.
 *
 * @module
 */

export type { CodecConformance } from './codec.ts'
export { codecConformance } from './codec.ts'
export type { ConformancePlace, StoreConformance } from './store.ts'
export { storeConformance } from './store.ts'
export type { Skip } from './suite.ts'
export type { TransportConformance } from './transport.ts'
export { transportConformance } from './transport.ts'
export type { ConformanceFeatures, ConformanceLog } from './transport-scene.ts'
