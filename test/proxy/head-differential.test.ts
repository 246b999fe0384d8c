/**
 * Owns: the second opinion on request heads: what node:http reads where we do, and where we do not.
 * Never: lets a difference pass without its reason. Nothing here touches the network.
 *
 * `npm run fuzz differential -- --heads 1000000` is the same over a million heads.
 */
import { METHODS } from 'node:http'
import { afterAll, describe, expect, it } from 'vitest'
import { formatAuthority } from '../../src/policy/index.ts'
import { parseRequestHead, type RequestHead } from '../../src/proxy/head.ts'
import { requestText } from '../../src/proxy/rewrite.ts'
import { connectionText } from '../fuzz/connections.ts'
import { CLASSES, compareWithNode, explain } from '../fuzz/differences.ts'
import { compare, readByUs } from '../fuzz/differential.ts'
import { Chance } from '../fuzz/mutate.ts'
import { NodeHttp } from '../fuzz/node-http.ts'

const SEED = 20_260
const HEADS = 6_000
const FIELDS_MAX = 50
/** Bodies are really sent: longer ones are left out. */
const LENGTH_MAX = 10_000
/** A second request straight after the first: it is found only where the first one's end is. */
const SENTINEL = 'GET /sentinel HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n'

const node = new NodeHttp()
afterAll(() => node.close())

/** A body that ends where `head` says, and what it holds. */
function bodyOf({ framing }: RequestHead): { sent: string; body: string } {
  switch (framing.kind) {
    case 'length': {
      const body = 'b'.repeat(framing.length)
      return { sent: body, body }
    }
    case 'chunked':
      return { sent: '4\r\nGET \r\n1;x\r\n/\r\n0\r\nX: 1\r\n\r\n', body: 'GET /' }
    default:
      return { sent: '', body: '' }
  }
}

/** What the head of `text` means to us, where it is a request to be sent on. */
function taken(text: string): RequestHead | null {
  const parsed = parseRequestHead(text.slice(0, text.indexOf('\r\n\r\n') + 2), FIELDS_MAX)
  if ('fault' in parsed || parsed.carriage === 'connect') return null
  return parsed.framing.kind === 'length' && parsed.framing.length > LENGTH_MAX ? null : parsed
}

/** As Forward asks: with a body there is no change of protocol. */
function upgradeOf(head: RequestHead): string | null {
  return head.framing.kind === 'none' ? head.upgrade : null
}

it('what we write is what node:http reads: method, target, host and end', async () => {
  const chance = new Chance(SEED)
  let count = 0
  for (let i = 0; i < HEADS; i++) {
    const head = taken(connectionText(chance))
    if (head === null) continue
    count++
    const { sent, body } = bodyOf(head)
    const upgrade = upgradeOf(head)
    const text = requestText(head, upgrade, 'sluss-test')
    const { messages } = await node.read(text + sent + SENTINEL)
    const read = messages.map(({ method, target, fields, body: content }) => {
      const host = fields[fields.findIndex((name) => name.toLowerCase() === 'host') + 1]
      return { method, target, host, body: content }
    })
    // node:http knows a list of methods; any other ends its connection at once.
    if (!METHODS.includes(head.method)) {
      expect(read).toEqual([])
      continue
    }
    const { method, target } = head
    const next = { method: 'GET', target: '/sentinel', host: 's', body: '' }
    expect(read).toEqual([
      { method, target, host: formatAuthority(head.host, head.port, 80), body },
      // What comes after an Upgrade is of another protocol, and node:http does not read it.
      ...(upgrade === null ? [next] : []),
    ])
  }
  // The mutations must leave enough that is well formed, or nothing has been compared.
  expect(count).toBeGreaterThan(HEADS / 10)
})

describe('where we and node:http differ', () => {
  for (const { name, kind, why, example } of CLASSES) {
    it(`${kind}: ${name} (${why})`, async () => {
      const difference = compare(example, readByUs(example), await node.read(example))
      expect(difference).toMatchObject({ kind })
      expect(explain(difference!)?.name).toBe(name)
    })
  }

  it('is one of these, and nothing else', async () => {
    const { same, explained, unexplained } = await compareWithNode(HEADS, SEED)
    expect(unexplained).toEqual([])
    expect(same).toBeGreaterThan(HEADS / 10)
    expect(explained.size).toBeGreaterThan(CLASSES.length / 2)
  })

  it('is told apart from what no class explains', async () => {
    const text = 'GET http://a.se/ HTTP/1.1\r\nHost: a.se\r\nContent-Length: 3\r\n\r\nabc'
    const read = await node.read(text)
    const ours = readByUs(text)
    expect(compare(text, ours, read)).toBe(null)
    const [message] = read.messages
    for (const other of [{ body: 'ab' }, { target: '/' }, { fields: [] }, { complete: false }]) {
      const difference = compare(text, ours, { messages: [{ ...message!, ...other }], stopped: '' })
      expect(difference).toMatchObject({ kind: 'read differently' })
      expect(explain(difference!)).toBe(null)
    }
    const silent = compare(text, ours, { messages: [], stopped: 'HPE_X' })
    expect(silent).toMatchObject({ kind: 'node refuses', code: 'HPE_X' })
    expect(explain(silent!)).toBe(null)
    const none = { messages: [], stopped: 'host-malformed', end: 0 }
    expect(explain(compare(text, none, read)!)).toBe(null)
  })
})
