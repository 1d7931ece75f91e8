// Which partition a key belongs to: the same answer as the producers of other languages.

/** Maps key bytes to a partition. Pure, and the same in every process. */
export interface Partitioner {
  /** Shown in messages and in the drawn topology. */
  readonly name: string
  /** A number from 0 to below `partitions`. Records without a key are spread and never asked. */
  partition(key: Uint8Array, partitions: number): number
}

/**
 * Java's default (and kafkajs's): murmur2, seed 0x9747b28c, sign bit cleared.
 *
 * @see `org.apache.kafka.common.utils.Utils.murmur2` and `toPositive`
 */
export const murmur2Partitioner: Partitioner = {
  name: 'murmur2',
  partition: (key, partitions) => (murmur2(key) & 0x7fffffff) % partitions
}

/** librdkafka's `consistent`: CRC-32 of the key (kcat, Python, Go and .NET clients). */
export const crc32Partitioner: Partitioner = {
  name: 'crc32',
  partition: (key, partitions) => crc32(key) % partitions
}

/** murmur2 as in Kafka's `Utils.murmur2`; a signed 32-bit integer. */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length
  const multiplier = 0x5bd1e995
  let hash = 0x9747b28c ^ length
  const whole = length & ~3
  for (let at = 0; at < whole; at += 4) {
    let word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    word = Math.imul(word, multiplier)
    word ^= word >>> 24
    hash = Math.imul(hash, multiplier) ^ Math.imul(word, multiplier)
  }
  const rest = length - whole
  if (rest >= 3) hash ^= (bytes[whole + 2] as number) << 16
  if (rest >= 2) hash ^= (bytes[whole + 1] as number) << 8
  if (rest >= 1) hash = Math.imul(hash ^ (bytes[whole] as number), multiplier)
  hash = Math.imul(hash ^ (hash >>> 13), multiplier)
  return (hash ^ (hash >>> 15)) | 0
}

const crcTable: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc >>> 0
})

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ (crcTable[(crc ^ byte) & 0xff] as number)
  return (crc ^ 0xffffffff) >>> 0
}
