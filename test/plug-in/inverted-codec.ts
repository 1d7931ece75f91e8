// A codec of somebody else's: JSON with every bit turned round, so that nobody else can read it.
import type { Codec } from 'tailrace'

export const inverted: Codec = {
  name: 'inverted',
  encode(value) {
    const text = JSON.stringify(value)
    if (text === undefined) throw new TypeError(`${typeof value} is nothing that JSON can write`)
    return turned(Buffer.from(text))
  },
  decode: (bytes) => JSON.parse(turned(bytes).toString())
}

function turned(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.map((byte) => byte ^ 0xff))
}
