/**
 * Owns: what a client has sent and nobody has used yet, and the next head in it.
 * Never: looks at the same byte again and again, however slowly they come, or keeps memory that it does not need.
 */
import { type HeadFault, parseRequestHead, type RequestHead } from './head.ts'
import { faultOfPart, type HeadLimits, type Looked } from './partial-head.ts'

const HEAD_END = '\r\n\r\n'
/** Empty lines before a request line that are passed over (RFC 9112 section 2.2), in bytes. */
const BLANK_BYTES_MAX = 64
/** What bytes are gathered in at the least. */
const GATHER_BYTES = 512

const NOTHING: Buffer = Buffer.alloc(0)

export class Incoming {
  #memory: Buffer = NOTHING
  #start = 0
  #end = 0
  /** The memory is somebody else's, who will read into it again. */
  #isLent = false
  /** What of the part of a head has been looked at. */
  readonly #looked: Looked = { to: 0, lines: 0 }

  get length(): number {
    return this.#end - this.#start
  }

  get bytes(): Buffer {
    return this.#memory.subarray(this.#start, this.#end)
  }

  /** Takes bytes that are good until `keep` is called, which must be before anybody waits. */
  add(bytes: Buffer): void {
    if (this.length === 0) {
      this.#memory = bytes
      this.#isLent = true
      this.#start = 0
      this.#end = bytes.length
      this.#lookAnew()
      return
    }
    const room = this.#isLent ? 0 : this.#memory.length - this.#end
    if (room < bytes.length) this.#move(Math.max(GATHER_BYTES, 2 * (this.length + bytes.length)))
    bytes.copy(this.#memory, this.#end)
    this.#end += bytes.length
  }

  /** What is left outlives the buffer that it came in. */
  keep(): void {
    if (this.#isLent) this.#move(this.length)
  }

  /** `count` bytes have been used; what has been taken away meanwhile is not there any more. */
  use(count: number): void {
    this.#start += Math.min(count, this.length)
    this.#lookAnew()
    if (this.length === 0) this.#move(0)
  }

  /** All of it; it is kept here no longer. */
  take(): Buffer {
    this.keep()
    const bytes = this.bytes
    this.use(bytes.length)
    return bytes
  }

  /** Takes the next head, or what is wrong with it; null where it is not all there. */
  nextHead(limits: HeadLimits): RequestHead | HeadFault | null {
    const held = this.#memory.subarray(0, this.#end)
    let start = this.#start
    const blankEnd = start + BLANK_BYTES_MAX
    while (start < blankEnd && held[start] === 13 && held[start + 1] === 10) start += 2
    if (start >= held.length || (start === held.length - 1 && held[start] === 13)) return null
    const end = held.indexOf(HEAD_END, Math.max(start, this.#looked.to - HEAD_END.length), 'latin1')
    if (end < 0 || end - start > limits.headBytes) {
      const fault = end < 0 ? faultOfPart(held, start, limits, this.#looked) : 'head-too-large'
      return fault === null ? null : { fault, method: '', host: '', port: 0 }
    }
    const text = held.toString('latin1', start, end + 2)
    this.use(end + HEAD_END.length - this.#start)
    return parseRequestHead(text, limits.headFields, limits.requestLineBytes)
  }

  #lookAnew(): void {
    this.#looked.to = this.#start
    this.#looked.lines = 0
  }

  /** To memory of our own. */
  #move(bytes: number): void {
    const memory = bytes === 0 ? NOTHING : Buffer.allocUnsafe(bytes)
    const length = this.#memory.copy(memory, 0, this.#start, this.#end)
    this.#looked.to -= this.#start
    this.#memory = memory
    this.#isLent = false
    this.#start = 0
    this.#end = length
  }
}
