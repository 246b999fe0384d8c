/**
 * Owns: one connection's bytes, read by us and by node:http, and how the two readings differ.
 * Never: explains a difference; differences.ts does.
 */
import { parseAuthority } from '../../src/proxy/authority.ts'
import { bodyReader } from '../../src/proxy/framing.ts'
import { parseRequestHead, type RequestHead } from '../../src/proxy/head.ts'
import type { Message, Reading } from './node-http.ts'

const FIELDS_MAX = 100
const HEAD_END = '\r\n\r\n'

/** A request as we read it, with what it means, and where its head begins. */
export interface OurMessage extends Message {
  readonly head: RequestHead
  readonly start: number
}

/** What we read of one connection; `stopped` is a Reason, or `unfinished`, of what begins at `end`. */
export interface OurReading extends Reading {
  readonly messages: OurMessage[]
  readonly end: number
}

/** `text` (latin1) as one connection of ours reads it: heads and bodies in turn, until one is wrong. */
export function readByUs(text: string): OurReading {
  const bytes = Buffer.from(text, 'latin1')
  const messages: OurMessage[] = []
  let at = 0
  for (;;) {
    while (text.startsWith('\r\n', at)) at += 2
    if (at >= text.length) return { messages, stopped: '', end: at }
    const end = text.indexOf(HEAD_END, at)
    if (end < 0) return { messages, stopped: 'unfinished', end: at }
    const head = parseRequestHead(text.slice(at, end + 2), FIELDS_MAX)
    if ('fault' in head) return { messages, stopped: head.fault, end: at }
    const reader = bodyReader(head.framing)
    let body = ''
    const used = reader.read(bytes, end + HEAD_END.length, (part) => {
      body += part.toString('latin1')
    })
    const target = text.slice(at, end).split(' ', 2)[1]!
    const { method, minor, fields } = head
    const complete = reader.done
    messages.push({ method, target, minor, fields, body, complete, head, start: at })
    at = used
    if (reader.fault) return { messages, stopped: 'body-malformed', end: at }
    if (!goesOn(messages.at(-1)!)) return { messages, stopped: '', end: at }
  }
}

/** Another request may come after it. */
function goesOn({ head, complete }: OurMessage): boolean {
  return complete && head.keepAlive && head.carriage === 'http' && head.upgrade === null
}

export type Kind = 'we refuse' | 'node refuses' | 'read differently'

export interface Difference {
  readonly kind: Kind
  /** The head in question, in latin1, without the empty line. */
  readonly head: string
  /** Where we refuse: our reason. */
  readonly reason: string
  /** Where node:http refuses: its code. */
  readonly code: string
  /** Where both read: which part of the request differs. */
  readonly part: string
  readonly ours: OurMessage | null
  readonly node: Message | null
}

/** The first difference between two readings of `text`, or null. */
export function compare(text: string, ours: OurReading, node: Reading): Difference | null {
  for (let i = 0; ; i++) {
    const our = ours.messages[i] ?? null
    const their = node.messages[i] ?? null
    if (our === null && their === null) return null
    // The client has had its last answer from us.
    const before = ours.messages[i - 1]
    if (before !== undefined && !goesOn(before)) return null
    const start = our?.start ?? ours.end
    const end = text.indexOf(HEAD_END, start)
    const head = text.slice(start, end < 0 ? text.length : end + 2)
    const what = { head, reason: '', code: '', part: '', ours: our, node: their }
    if (our === null) return { ...what, kind: 'we refuse', reason: ours.stopped }
    if (their === null) return { ...what, kind: 'node refuses', code: node.stopped }
    const part = differingPart(our, their)
    if (part !== null) return { ...what, kind: 'read differently', part }
  }
}

function differingPart(our: OurMessage, their: Message): string | null {
  for (const part of ['method', 'target', 'minor', 'complete'] as const) {
    if (our[part] !== their[part]) return part
  }
  if (our.complete && our.body !== their.body) return 'body'
  if (our.fields.length !== their.fields.length) return 'number of fields'
  if (our.fields.some((text, i) => text !== their.fields[i])) return 'fields'
  const at = their.fields.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'host')
  const host = at < 0 ? null : parseAuthority(their.fields[at + 1]!)
  return at < 0 || host?.host === our.head.host ? null : 'host'
}
