/**
 * Owns: reading what a proxy answers, as bytes come: status, length, and that nothing follows.
 * Never: does I/O, or takes a wrong answer for a right one.
 */

const HEAD_END = Buffer.from('\r\n\r\n')
const NONE = Buffer.alloc(0)

/** Reads one answer at a time, each with a Content-Length; the same object for one after another. */
export class AnswerReader {
  /** Of the answer last read. */
  status = 0
  bodyBytes = 0
  /** Its first line and fields. */
  #head = ''
  #held: Buffer = NONE
  /** Of the body; -1 before the head has come. */
  #left = -1

  /** For people: what the answer last read was, and why, where it says so. */
  get told(): string {
    const why = /\r\n(?:Sluss-Reason|X-Squid-Error): ([^\r]*)/i.exec(this.#head)?.[1] ?? ''
    return `an answer of ${this.status} with ${this.bodyBytes} bytes ${why}`.trim()
  }

  /**
   * True when the answer is whole. `headOnly`: it has no body, as that to a CONNECT. Throws where it
   * has no length, or where bytes come after it.
   */
  take(bytes: Buffer, headOnly = false): boolean {
    let body = bytes
    if (this.#left < 0) {
      const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
      const end = all.indexOf(HEAD_END)
      if (end < 0) {
        this.#held = Buffer.from(all)
        return false
      }
      this.#held = NONE
      const head = all.toString('latin1', 0, end)
      this.#head = head
      this.status = Number(head.slice(9, 12))
      this.#left = headOnly && this.status === 200 ? 0 : lengthOf(head)
      this.bodyBytes = this.#left
      body = all.subarray(end + HEAD_END.length)
    }
    if (body.length > this.#left) throw new Error(`bytes after an answer of ${this.status}`)
    this.#left -= body.length
    if (this.#left > 0) return false
    this.#left = -1
    return true
  }
}

function lengthOf(head: string): number {
  const length = /\r\nContent-Length: *(\d+)/i.exec(head)?.[1]
  if (length === undefined) throw new Error(`an answer without a length: ${head}`)
  return Number(length)
}
