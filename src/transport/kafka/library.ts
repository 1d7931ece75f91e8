// The one door to the Kafka library: its connections, message codecs and tables, nothing above.

import type { API, SASLOptions } from '@platformatic/kafka'

export {
  apiVersionsV3,
  Connection,
  compressionsAlgorithms,
  createTopicsV7,
  deleteRecordsV2,
  deleteTopicsV6,
  describeConfigsV4,
  findCoordinatorV4,
  heartbeatV4,
  initProducerIdV5,
  joinGroupV9,
  leaveGroupV5,
  listOffsetsV7,
  offsetForLeaderEpochV4,
  listTransactionsV1,
  metadataV12,
  offsetFetchV8,
  protocolAPIsById,
  protocolErrors,
  Reader,
  ResponseError,
  syncGroupV5,
  Writer
} from '@platformatic/kafka'

/** A request and its answer, as the library's `createAPI` makes them. */
export type Api<A extends unknown[], R> = API<A, R>

export type { SASLOptions }
