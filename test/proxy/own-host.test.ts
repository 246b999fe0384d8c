import { describe, expect, it } from 'vitest'
import { parseAddress, readVisitor } from '../../src/policy/index.ts'
import { parseRequestHead, type RequestHead } from '../../src/proxy/head.ts'
import { asksAboutUs, OwnHost } from '../../src/proxy/own-host.ts'
import { requestText } from '../../src/proxy/rewrite.ts'
import { openWorld } from './world.ts'

const PORTAL = { address: '0.0.0.0', port: 3180 }
const ENDPOINTS = [
  { address: '10.1.2.3', port: 3128 },
  { address: '2001:db8::5', port: 3128 },
  { address: '0.0.0.0', port: 8080 },
  PORTAL,
]
const listeners = ENDPOINTS.map(({ address, port }) => ({ address: parseAddress(address)!, port }))
const own = new OwnHost({ ...openWorld(), portal: [PORTAL] }, listeners)
const without = new OwnHost(openWorld(), listeners)

function headOf(...lines: string[]): RequestHead {
  const head = parseRequestHead(`${lines.join('\r\n')}\r\n`, 100)
  if ('fault' in head) throw new Error(head.fault)
  return head
}

const absolute = (authority: string) =>
  headOf(`GET http://${authority}/ HTTP/1.1`, `Host: ${authority}`)
const origin = (authority: string) => headOf('GET / HTTP/1.1', `Host: ${authority}`)

const ADDRESS = parseAddress('10.9.9.9')!
const asker = {
  address: ADDRESS,
  addressText: '10.9.9.9',
  tallyKey: 0,
  zone: null,
  zoneVersion: 1,
}
const anna = {
  known: true,
  identity: { kind: 'user', user: 'åsa', groups: ['all'] },
} as const
const nobody = { known: false, reason: 'credentials-missing' } as const

function check(authority: string, expected: boolean) {
  it(`${authority} is ${expected ? '' : 'not '}ours`, () => {
    expect(own.isMeant(absolute(authority))).toBe(expected)
    expect(own.isMeant(origin(authority))).toBe(expected)
    const head = origin(authority)
    const asked = expected ? own.headOf(head, asker, nobody) : head
    expect(own.faultOf(asked, 'us')).toBe(expected ? null : 'target-form')
  })
}

describe('what is asked of the gate itself', () => {
  check('sluss.internal', true)
  check('SLUSS.internal.:80', true)
  check('sluss.internal:3128', false)
  check('www.sluss.internal', false)
  check('10.1.2.3:3128', true)
  check('0x0a010203:3128', true)
  check('[::ffff:10.1.2.3]:3128', true)
  check('[2001:db8:0::5]:3128', true)
  check('10.1.2.3:3180', false)
  check('10.1.2.3', false)
  check('10.1.2.4:3128', false)
  // Who listens on all addresses does so on all of loopback.
  check('127.0.0.1:8080', true)
  check('127.0.0.2:3180', true)
  check('127.0.0.1:3128', false)
  check('proxy.example:3128', false)

  it('is no tunnel', () => {
    expect(own.isMeant(headOf('CONNECT 10.1.2.3:3128 HTTP/1.1', 'Host: 10.1.2.3:3128'))).toBe(false)
  })
})

describe('a request to the portal', () => {
  const head = headOf(
    'POST /x?y HTTP/1.1',
    'Host: 10.1.2.3:3128',
    'SLUSS-Visitor: key {"address":"10.0.0.1"}',
    'Accept: a',
    'sluss-visitor:again',
    'X-Sluss-Visitor: b',
    'Content-Length: 3',
    'Connection: Upgrade',
    'Upgrade: websocket',
  )

  it('says who asks, and nothing of what the client says of that', () => {
    const sent = own.headOf(head, asker, anna)
    const text = requestText(sent, sent.upgrade, 'us')
    const [line, ...fields] = text.split('\r\n')
    expect(line).toBe('POST /x?y HTTP/1.1')
    const visitor = fields.filter((field) => /^sluss-visitor:/i.test(field))
    expect(fields.filter((field) => !visitor.includes(field))).toEqual([
      'Host: sluss.internal',
      'Accept: a',
      'X-Sluss-Visitor: b',
      'Content-Length: 3',
      'Via: 1.1 us',
      '',
      '',
    ])
    expect(visitor).toHaveLength(1)
    expect(readVisitor('key', visitor[0]!.slice('sluss-visitor: '.length))).toEqual({
      address: '10.9.9.9',
      identity: { kind: 'user', user: 'åsa' },
      reachedAt: '10.1.2.3',
    })
  })

  it('is still what it was, for the record', () => {
    const sent = own.headOf(head, asker, nobody)
    expect(sent).toMatchObject({ host: '10.1.2.3', port: 3128, method: 'POST', target: '/x?y' })
    expect(sent.fields).toEqual(head.fields)
    expect([sent.carriage, sent.origin]).toEqual(['portal', 'portal'])
  })

  it('goes to loopback where the portal listens on all addresses', () => {
    expect(own.places.map(({ text }) => text)).toEqual(['127.0.0.1'])
    expect(own.port).toBe(3180)
  })

  it('has nowhere to go where there is no portal, but for OPTIONS *', () => {
    const ask = (one: RequestHead) => without.headOf(one, asker, nobody)
    expect(without.faultOf(ask(head), 'us')).toBe('portal-absent')
    const options = headOf('OPTIONS * HTTP/1.1', 'Host: sluss.internal')
    expect(without.faultOf(ask(options), 'us')).toBe(null)
    expect([asksAboutUs(ask(options)), asksAboutUs(ask(head))]).toEqual([true, false])
  })

  it('goes in no circle', () => {
    const again = headOf('GET / HTTP/1.1', 'Host: sluss.internal', 'Via: 1.1 us')
    expect(own.faultOf(own.headOf(again, asker, nobody), 'us')).toBe('loop-detected')
    expect(own.faultOf(own.headOf(again, asker, nobody), 'another')).toBe(null)
  })

  for (const [via, loops] of [
    ['1.1 us (a comment)', true],
    ['1.1 us (one, and another), 1.1 b', true],
    ['HTTP/1.1\t us:3128', true],
    ['1.0 a, 1.1 US(c)', true],
    ['1.1 us.example', false],
    ['1.1 not-us', false],
    ['1.1 a (us)', false],
    ['1.1 a (from us)', false],
    ['us', false],
  ] as const) {
    it(`Via: ${via} ${loops ? 'is a circle' : 'is none'}`, () => {
      const again = headOf('GET http://a.test/ HTTP/1.1', 'Host: a.test', `Via: ${via}`)
      expect(own.faultOf(again, 'us')).toBe(loops ? 'loop-detected' : null)
    })
  }
})
