// The library's connection for the way in (TCP, TLS, login); after that, requests go our way.

import type { Writer } from './library.ts'
import { Connection, Reader, ResponseError } from './library.ts'

/** One request of a library codec, on its way out. */
export interface CodecRequest {
  readonly key: number
  readonly version: number
  readonly isFlexible: boolean
  readonly hasTaggedAnswer: boolean
  encode(): readonly Uint8Array[]
  /** Hands the answer to who asked; returns the silence that a quota asks for, in ms. */
  answer(correlation: number, body: Buffer): number
  fail(error: unknown): void
}

/**
 * Once `route` is set, every request of a library codec goes there, those of the library's own
 * re-authentication included; so one reader owns the socket, and no answer has two.
 */
export class FramedConnection extends Connection {
  route: ((request: CodecRequest) => void) | undefined

  override send<R>(
    key: number,
    version: number,
    payload: () => Writer | Promise<Writer>,
    parse: (correlation: number, key: number, version: number, reader: Reader) => R | Promise<R>,
    isFlexible: boolean,
    hasTaggedAnswer: boolean,
    callback: (error: Error | null, payload?: R) => void
  ): void {
    if (this.route === undefined) {
      super.send(key, version, payload, parse, isFlexible, hasTaggedAnswer, callback)
      return
    }
    this.route({
      key,
      version,
      isFlexible,
      hasTaggedAnswer,
      encode: () => {
        const writer = payload()
        if (writer instanceof Promise) throw new TypeError('a codec that encodes later')
        return writer.buffers
      },
      answer: (correlation, body) => {
        try {
          const value = parse(correlation, key, version, Reader.from(body))
          if (value instanceof Promise) throw new TypeError('a codec that decodes later')
          callback(null, value)
          return throttleOf(value)
        } catch (error) {
          callback(asError(error))
          return error instanceof ResponseError ? throttleOf(error['response']) : 0
        }
      },
      fail: (error) => callback(asError(error))
    })
  }
}

function throttleOf(answer: unknown): number {
  if (typeof answer !== 'object' || answer === null || !('throttleTimeMs' in answer)) return 0
  return typeof answer.throttleTimeMs === 'number' ? answer.throttleTimeMs : 0
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
