// The bytes in front of every request and every answer.

export interface RequestHead {
  readonly key: number
  readonly version: number
  /** Whether the header ends in tagged fields. */
  readonly isFlexible: boolean
  readonly timeoutMs: number
  readonly hasNoResponse: boolean
}

const fixedBytes = 14

/** Length, key, version, correlation id and client id, for a body of `bodyBytes`. */
export function encodeHead(
  { key, version, isFlexible }: RequestHead,
  correlation: number,
  clientId: Uint8Array,
  bodyBytes: number
): Buffer {
  const head = Buffer.allocUnsafe(fixedBytes + clientId.length + (isFlexible ? 1 : 0))
  head.writeInt32BE(head.length - 4 + bodyBytes, 0)
  head.writeInt16BE(key, 4)
  head.writeInt16BE(version, 6)
  head.writeInt32BE(correlation, 8)
  head.writeInt16BE(clientId.length, 12)
  head.set(clientId, fixedBytes)
  if (isFlexible) head[head.length - 1] = 0
  return head
}

/** The position behind the tagged fields that begin at `at`; nobody reads these. */
export function afterTags(frame: Buffer, at: number): number {
  let position = at
  const varint = (): number => {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = frame.readUInt8(position++)
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    return value >>> 0
  }
  const count = varint()
  for (let tag = 0; tag < count; tag++) {
    varint()
    const bytes = varint()
    position += bytes
  }
  return position
}
