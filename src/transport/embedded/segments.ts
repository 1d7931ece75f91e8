// The segment files: names, a bounded set of open descriptors, reads and writes at a position.

import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
  writevSync
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { TailraceError } from '../../core/errors.ts'
import { isMissing, isOutOfDescriptors } from './failure.ts'

export interface SegmentId {
  /** Id of the partition in the log, not its number in the topic. */
  readonly partition: number
  readonly base: number
  /** 0 as written; compaction makes new ones, and no number twice. */
  readonly generation: number
}

/** Open files at most; the one unused for longest is closed first. */
const descriptorsMax = 256

interface OpenFile {
  readonly descriptor: number
  readonly isWritable: boolean
}

export class SegmentFiles {
  readonly #directory: string
  /** In the order of their last use. */
  readonly #open = new Map<string, OpenFile>()

  constructor(directory: string) {
    this.#directory = directory
  }

  /**
   * Writes buffers one after the other. A file that is written from its beginning is made anew,
   * never taken from the open ones: what lay there under this name was never committed, and may
   * have been swept away by another process since.
   */
  write(segment: SegmentId, buffers: readonly Buffer[], position: number): void {
    const descriptor = this.#descriptor(segment, position === 0 ? 'make' : 'write')
    let rest = buffers
    let at = position
    while (rest.length > 0) {
      const written = writevSync(descriptor, rest, at)
      at += written
      rest = withoutBytes(rest, written)
    }
  }

  /** Bytes read into `target` from `position`: fewer than asked only at the end of the file. */
  read(segment: SegmentId, target: Buffer, position: number): number {
    const descriptor = this.#descriptor(segment, 'read')
    let done = 0
    while (done < target.length) {
      const read = readSync(descriptor, target, done, target.length - done, position + done)
      if (read === 0) break
      done += read
    }
    return done
  }

  /** Brings the bytes, and the name of a new file, to the disk itself. */
  sync(segment: SegmentId, isNew: boolean): void {
    fdatasyncSync(this.#descriptor(segment, 'write'))
    if (isNew) this.syncDirectory()
  }

  syncDirectory(): void {
    // Windows cannot open a directory; there its entry is written with the file.
    if (process.platform === 'win32') return
    const descriptor = openSync(this.#directory, 'r')
    try {
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  }

  /** Size of the file, or undefined when there is none. Says nothing about what is committed. */
  sizeOf(segment: SegmentId): number | undefined {
    try {
      return statSync(this.path(segment)).size
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  /** Closes and unlinks; a file that is already gone, or still held elsewhere, is left. */
  remove(segment: SegmentId): void {
    this.release(segment)
    removeFile(this.path(segment))
  }

  /** Closes the descriptor, if one is open. */
  release(segment: SegmentId): void {
    const name = fileName(segment)
    const file = this.#open.get(name)
    if (file === undefined) return
    this.#open.delete(name)
    closeSync(file.descriptor)
  }

  /** Closes descriptors of files that others unlinked, so that their space is returned. */
  releaseUnlinked(): void {
    for (const [name, file] of this.#open) {
      if (fstatSync(file.descriptor).nlink > 0) continue
      this.#open.delete(name)
      closeSync(file.descriptor)
    }
  }

  /** Unlinks every segment file that `isKnown` does not know. */
  sweep(isKnown: (segment: SegmentId) => boolean): number {
    let swept = 0
    for (const name of readdirSync(this.#directory)) {
      const segment = parseName(name)
      if (segment === undefined || isKnown(segment)) continue
      this.remove(segment)
      swept++
    }
    return swept
  }

  path(segment: SegmentId): string {
    return join(this.#directory, fileName(segment))
  }

  get descriptorCount(): number {
    return this.#open.size
  }

  close(): void {
    for (const { descriptor } of this.#open.values()) closeSync(descriptor)
    this.#open.clear()
  }

  #descriptor(segment: SegmentId, use: 'read' | 'write' | 'make'): number {
    const name = fileName(segment)
    const known = this.#open.get(name)
    if (known !== undefined) {
      this.#open.delete(name)
      if (use !== 'make' && (use === 'read' || known.isWritable)) {
        this.#open.set(name, known)
        return known.descriptor
      }
      closeSync(known.descriptor)
    }
    const descriptor = this.#openFile(join(this.#directory, name), use)
    this.#open.set(name, { descriptor, isWritable: use !== 'read' })
    if (this.#open.size > descriptorsMax) this.#closeOldest()
    return descriptor
  }

  #openFile(path: string, use: keyof typeof flagsOf): number {
    try {
      return openSync(path, flagsOf[use], 0o600)
    } catch (error) {
      // A low limit of open files, or one that others use up: do with one at a time.
      if (!isOutOfDescriptors(error) || this.#open.size === 0) throw error
      this.close()
      return openSync(path, flagsOf[use], 0o600)
    }
  }

  #closeOldest(): void {
    for (const [name, { descriptor }] of this.#open) {
      this.#open.delete(name)
      closeSync(descriptor)
      return
    }
  }
}

const flagsOf = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  make: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC
} as const

/** Brings what a file holds to the disk itself, without holding up the event loop. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.datasync()
  } finally {
    await file.close()
  }
}

/** The error for a segment that has a row and no file, or fewer bytes than its row says. */
export function segmentLost(path: string, what: string): TailraceError {
  return new TailraceError('TAILRACE_TRANSPORT_CORRUPT', `the segment ${path} ${what}`)
}

export function fileName({ partition, base, generation }: SegmentId): string {
  return `${partition}-${base}.${generation}.seg`
}

function parseName(name: string): SegmentId | undefined {
  const match = /^(\d+)-(\d+)\.(\d+)\.seg$/.exec(name)
  if (match === null) return undefined
  return { partition: Number(match[1]), base: Number(match[2]), generation: Number(match[3]) }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // Gone already, or held open where that forbids it: the sweep at the next open takes it.
  }
}

function withoutBytes(buffers: readonly Buffer[], bytes: number): readonly Buffer[] {
  let left = bytes
  let index = 0
  while (index < buffers.length && left >= buffers[index]!.length) left -= buffers[index++]!.length
  const rest = buffers.slice(index)
  if (left > 0) rest[0] = rest[0]!.subarray(left)
  return rest
}
