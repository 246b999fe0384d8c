/**
 * Owns: a text in pieces: its beginning looked at before it is read, its size bounded, its lines
 * joined where a piece ends within one.
 * Never: keeps more of a text than a piece, or changes a piece that another may hold.
 */
import { LINE_BYTES_MAX, type LineParser, type SideFile } from './lines.ts'
import { CR, LF } from './plain-line.ts'
import { ListFault } from './trouble.ts'

export type Chunks = AsyncIterable<Uint8Array>

/** The largest public list, UT1 adult, has about 90 MiB; packed or unpacked, a list has no more. */
export const LIST_BYTES_MAX = 512 * 1_024 * 1_024

export const TOO_LARGE = {
  what: `the list has more than ${LIST_BYTES_MAX / 1_024 / 1_024} MiB`,
  hint: 'Divide it into several lists.',
}

/** The same pieces, as long as they are a list's size together. */
export async function* bounded(chunks: Chunks): AsyncGenerator<Uint8Array> {
  let total = 0
  for await (const chunk of chunks) {
    total += chunk.length
    if (total > LIST_BYTES_MAX) throw new ListFault(TOO_LARGE.what, TOO_LARGE.hint)
    yield chunk
  }
}

export interface Begun {
  /** The first bytes: as many as were asked for or more, unless there are fewer. */
  readonly head: Uint8Array
  /** All of it, the head included. */
  readonly all: Chunks
}

/** Looks at the beginning of what comes in pieces. */
export async function begin(chunks: Chunks, sizeBytes: number): Promise<Begun> {
  const iterator = chunks[Symbol.asyncIterator]()
  const first: Uint8Array[] = []
  let have = 0
  while (have < sizeBytes) {
    const { value, done } = await iterator.next()
    if (done) break
    first.push(value)
    have += value.length
  }
  const head = first.length === 1 ? first[0]! : Buffer.concat(first)
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      if (head.length > 0) yield head
      yield* { [Symbol.asyncIterator]: () => iterator }
    } finally {
      await iterator.return?.()
    }
  }
  return { head, all: all() }
}

/** Gives whole lines to whoever takes them; of a line without end, what tells that it has none. */
export class LineJoiner {
  readonly #take: (bytes: Uint8Array, end: number) => void
  readonly #kept = new Uint8Array(LINE_BYTES_MAX + 2)
  #keptLength = 0
  /** Bytes of lines too long that were passed over. */
  dropped = 0

  constructor(take: (bytes: Uint8Array, end: number) => void) {
    this.#take = take
  }

  add(chunk: Uint8Array): void {
    let rest = chunk
    if (this.#keptLength > 0) {
      const end = chunk.indexOf(LF) + 1
      this.#keep(end === 0 ? chunk : chunk.subarray(0, end - 1))
      if (end === 0) return
      this.#kept[this.#keptLength++] = LF
      this.#takeKept()
      rest = chunk.subarray(end)
    }
    const end = rest.lastIndexOf(LF) + 1
    if (end > 0) this.#take(rest, end)
    this.#keep(rest.subarray(end))
  }

  finish(): void {
    if (this.#keptLength > 0) this.#takeKept()
  }

  /** One byte more than a line may have shows that it is too long; and there is room for its end. */
  #keep(part: Uint8Array): void {
    const room = LINE_BYTES_MAX + 1 - this.#keptLength
    const kept = part.length > room ? part.subarray(0, room) : part
    this.#kept.set(kept, this.#keptLength)
    this.#keptLength += kept.length
    this.dropped += part.length - kept.length
  }

  #takeKept(): void {
    const length = this.#keptLength
    this.#keptLength = 0
    this.#take(this.#kept, length)
  }
}

/** Reads all pieces as lines of the list. */
export async function readInto(parser: LineParser, chunks: Chunks): Promise<void> {
  const joiner = new LineJoiner((bytes, end) => parser.read(bytes, 0, end))
  for await (const chunk of withLineFeeds(chunks)) joiner.add(chunk)
  joiner.finish()
  parser.skip(joiner.dropped)
}

/** Counts all lines of a file beside the list. */
export async function readBesideInto(
  parser: LineParser,
  chunks: Chunks,
  side: SideFile,
): Promise<void> {
  let lines = 0
  const joiner = new LineJoiner((bytes, end) => {
    lines = parser.readBeside(bytes, end, side, lines)
  })
  for await (const chunk of withLineFeeds(chunks)) joiner.add(chunk)
  joiner.finish()
  parser.skip(joiner.dropped)
}

/**
 * A carriage return that no line feed follows ends a line too, as on the first Macintosh, also where others
 * end otherwise: else one line added by another editor makes one line of all the rest.
 */
async function* withLineFeeds(chunks: Chunks): AsyncGenerator<Uint8Array> {
  let held: Uint8Array = new Uint8Array()
  for await (const chunk of chunks) {
    const all = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    // Which kind the last ones are, the next piece tells.
    const holds = all.at(-1) !== CR ? 0 : all.at(-2) === CR ? 2 : 1
    held = all.subarray(all.length - holds)
    yield withOwnLineFeeds(all.subarray(0, all.length - holds))
  }
  yield held
}

/** The same bytes, or a copy where one is another. */
function withOwnLineFeeds(bytes: Uint8Array): Uint8Array {
  let copy: Uint8Array | null = null
  const first = bytes.indexOf(CR)
  for (let at = first < 0 ? bytes.length : first; at < bytes.length; at++) {
    if (bytes[at] !== CR || bytes[at + 1] === LF) continue
    // Twice before a line feed: what a text in CRLF becomes that is converted once more.
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) continue
    copy ??= Uint8Array.from(bytes)
    copy[at] = LF
  }
  return copy ?? bytes
}
