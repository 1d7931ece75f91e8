// The keeper's end of the pipe to the supervisor. Nothing here waits: a supervisor that does not
// read must not hold up the heartbeats of its nodes.
import { Socket } from 'node:net'
import { dumpRequest, Lines, type NodeFrame } from './health-frames.ts'

/** Beyond so much that nobody has read, reports are left out. */
const unreadBytesMax = 65_536

export class HealthPipe {
  readonly #socket: Socket

  constructor(fd: number, onDump: () => void) {
    this.#socket = new Socket({ fd, readable: true, writable: true })
    const lines = new Lines((line) => line === dumpRequest && onDump())
    this.#socket.setEncoding('utf8').on('data', (text: string) => lines.push(text))
    // A supervisor that is gone is seen by other means, and sooner.
    this.#socket.on('error', () => undefined)
    // What the thread has to do keeps it, and not this.
    this.#socket.unref()
  }

  send(frame: NodeFrame): void {
    if (this.#socket.destroyed || this.#socket.writableLength > unreadBytesMax) return
    this.#socket.write(`${JSON.stringify(frame)}\n`)
  }

  close(): void {
    this.#socket.destroy()
  }
}
