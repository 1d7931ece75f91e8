// CRC-32C (Castagnoli), the checksum of record batches: sixteen bytes a step, by table.

/** Sixteen tables of 256 entries, one after the other. */
const table: Int32Array = makeTables()

/** Words are read in the machine's byte order; only in this one they spare the shifting. */
const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
/** Below this many bytes a word view costs more than it spares. */
const wordBytesMin = 48

/** Below this many bytes the call of native code costs more than it spares. */
const nativeBytesMin = 512
/** The checksum of nine digits that the description of this CRC gives as its example. */
const example = { text: '123456789', crc: 0xe306_9283 } as const

let native: ((bytes: Uint8Array) => number) | undefined

/** Lets native code, where there is some, take what is larger; false when it computes wrongly. */
export function accelerateCrc32c(checksum: (bytes: Uint8Array) => number): boolean {
  const isRight = checksum(Buffer.from(example.text)) === example.crc
  if (isRight) native = checksum
  return isRight
}

/** The checksum of `bytes` from `start` to before `end`, as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, start: number = 0, end: number = bytes.length): number {
  if (native !== undefined && end - start >= nativeBytesMin) {
    return native(bytes.subarray(start, end))
  }
  let crc = -1
  let at = start
  if (isLittleEndian && end - start >= wordBytesMin) {
    const aligned = start + (-(bytes.byteOffset + start) & 3)
    crc = updateBytes(crc, bytes, start, aligned)
    const steps = (end - aligned) >>> 4
    crc = updateWords(crc, new Int32Array(bytes.buffer, bytes.byteOffset + aligned, steps << 2))
    at = aligned + (steps << 4)
  }
  return ~updateBytes(crc, bytes, at, end) >>> 0
}

function updateBytes(start: number, bytes: Uint8Array, from: number, to: number): number {
  const t = table
  let crc = start
  for (let i = from; i < to; i++) crc = t[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8)
  return crc
}

function updateWords(start: number, words: Int32Array): number {
  const t = table
  let crc = start
  for (let i = 0; i < words.length; i += 4) {
    const a = crc ^ words[i]!
    const b = words[i + 1]!
    const c = words[i + 2]!
    const d = words[i + 3]!
    const ofA = t[3840 + (a & 255)]! ^ t[3584 + ((a >>> 8) & 255)]! ^ t[3328 + ((a >>> 16) & 255)]!
    const ofB = t[2816 + (b & 255)]! ^ t[2560 + ((b >>> 8) & 255)]! ^ t[2304 + ((b >>> 16) & 255)]!
    const ofC = t[1792 + (c & 255)]! ^ t[1536 + ((c >>> 8) & 255)]! ^ t[1280 + ((c >>> 16) & 255)]!
    const ofD = t[768 + (d & 255)]! ^ t[512 + ((d >>> 8) & 255)]! ^ t[256 + ((d >>> 16) & 255)]!
    const lasts = t[3072 + (a >>> 24)]! ^ t[2048 + (b >>> 24)]! ^ t[1024 + (c >>> 24)]!
    crc = ofA ^ ofB ^ ofC ^ ofD ^ lasts ^ t[d >>> 24]!
  }
  return crc
}

/** Table k gives the effect of a byte that stands k bytes before the end of the step. */
function makeTables(): Int32Array {
  const polynomial = 0x82f63b78
  const all = new Int32Array(16 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    all[byte] = crc
  }
  for (let at = 256; at < all.length; at++) {
    const before = all[at - 256]!
    all[at] = all[before & 255]! ^ (before >>> 8)
  }
  return all
}
