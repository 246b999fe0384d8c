/**
 * Owns: the buffer that the names of a list are collected in.
 * Never: judges a name.
 */
import { DOT, NAME_BYTES_MAX } from './layout.ts'

/** Names in one buffer: a length byte, then the name. */
export interface NameList {
  readonly names: Uint8Array
  /** Line of each name, in the same order; its length is the number of names. */
  readonly nameLines: Uint32Array
  /**
   * The most nodes that the names can make: one for each label but the last, and for each lone
   * label.
   */
  readonly nodesMax: number
}

/** What is reserved before names come; more is made where it does not do. */
const NAMES_EXPECTED_MIN = 16
const BYTES_PER_LINE_EXPECTED = 14

/** Grows as names come. What is reserved and never written costs no memory. */
export class Names {
  #bytes: Uint8Array
  #used = 0
  #lines: Uint32Array
  #count = 0
  #nodesMax = 0

  constructor(bytesExpected: number) {
    this.#bytes = new Uint8Array(bytesExpected + 2 * NAME_BYTES_MAX)
    this.#lines = new Uint32Array(
      NAMES_EXPECTED_MIN + Math.ceil(bytesExpected / BYTES_PER_LINE_EXPECTED),
    )
  }

  add(source: Uint8Array, start: number, end: number, line: number): void {
    const length = end - start
    this.#makeRoom(length)
    const bytes = this.#bytes
    let at = this.#used
    let dots = 0
    bytes[at++] = length
    for (let i = start; i < end; i++) {
      const byte = source[i]!
      bytes[at++] = byte
      if (byte === DOT) dots++
    }
    this.#used = at
    this.#nodesMax += Math.max(1, dots)
    this.#lines[this.#count++] = line
  }

  /** The same for a host in normal form, which is ASCII. */
  addHost(host: string, line: number): void {
    const { length } = host
    this.#makeRoom(length)
    const bytes = this.#bytes
    let at = this.#used
    let dots = 0
    bytes[at++] = length
    for (let i = 0; i < length; i++) {
      const byte = host.charCodeAt(i)
      bytes[at++] = byte
      if (byte === DOT) dots++
    }
    this.#used = at
    this.#nodesMax += Math.max(1, dots)
    this.#lines[this.#count++] = line
  }

  #makeRoom(length: number): void {
    if (this.#used + length >= this.#bytes.length) this.#bytes = grown(this.#bytes, Uint8Array)
    if (this.#count === this.#lines.length) this.#lines = grown(this.#lines, Uint32Array)
  }

  finish(): NameList {
    return {
      names: this.#bytes.subarray(0, this.#used),
      nameLines: this.#lines.subarray(0, this.#count),
      nodesMax: this.#nodesMax,
    }
  }
}

function grown<T extends Uint8Array | Uint32Array>(old: T, make: new (length: number) => T): T {
  const larger = new make(old.length * 2)
  larger.set(old)
  return larger
}
