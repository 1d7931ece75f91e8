// Text of a part of a buffer. Node's `toString` looks at its encoding and its bounds each time,
// which takes longer than a short text itself; what it then calls is there for all to call.

interface SlicingBuffer extends Buffer {
  latin1Slice(start: number, end: number): string
  utf8Slice(start: number, end: number): string
}

/** `0 <= start <= end <= bytes.length`. */
export function utf8Of(bytes: Buffer, start: number, end: number): string {
  return (bytes as SlicingBuffer).utf8Slice(start, end)
}

/** One character a byte; `0 <= start <= end <= bytes.length`. */
export function latin1Of(bytes: Buffer, start: number, end: number): string {
  return (bytes as SlicingBuffer).latin1Slice(start, end)
}
