/**
 * Owns: our own answers as bytes: status, fields, length, and that nothing told can become a field.
 * Never: reads the page; page.test.ts does.
 */
import http, { type IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { REASONS, type Reason, type Verdict } from '../../src/policy/index.ts'
import { type Refusal, refusalBytes, statusOf } from '../../src/proxy/refuse.ts'

const verdict: Verdict = {
  action: 'block',
  reason: 'category-blocked',
  rule: 'category:gambling',
  decision: { by: 'Kommunstyrelsen', dnr: 'KS 2026/12', date: '2026-02-01' },
  metered: null,
}
const blocked: Refusal = {
  reason: 'category-blocked',
  verdict,
  method: 'GET',
  acceptLanguage: 'sv',
  host: 'spel.example',
  user: 'anna',
  minutes: null,
  challenges: [],
  nowMs: Date.UTC(2026, 2, 29, 12, 30),
  keepAlive: true,
}
const CHALLENGE = 'Basic realm="Sluss", charset="UTF-8"'

/** An answer in its parts. */
function answer(refusal: Partial<Refusal>) {
  const bytes = refusalBytes({ ...blocked, ...refusal })
  const end = bytes.indexOf('\r\n\r\n')
  const [status = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const body = bytes.subarray(end + 4)
  const names = lines.map((line) => line.slice(0, line.indexOf(':')))
  const field = (name: string) =>
    lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
  return { status, lines, names, field, body, text: body.toString('utf8') }
}

it('the head, whole', () => {
  const { status, lines, body } = answer({})
  expect([status, ...lines]).toEqual([
    'HTTP/1.1 403 This site is refused: gambling',
    'Sluss-Reason: category-blocked; rule="category:gambling"',
    'Proxy-Status: sluss; error=http_request_denied; details="category-blocked category:gambling"',
    'Content-Type: text/html; charset=utf-8',
    'Content-Language: sv',
    `Content-Length: ${body.length}`,
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'",
    'Cache-Control: no-store',
    'Date: Sun, 29 Mar 2026 12:30:00 GMT',
    'Connection: keep-alive',
  ])
})

describe('the parts of an answer', () => {
  it('the length is of bytes, not of letters', () => {
    const { field, body, text } = answer({ user: 'åsa 🦫' })
    expect(Number(field('Content-Length'))).toBe(body.length)
    expect(body.length).toBeGreaterThan(text.length)
    expect(text).toContain('åsa 🦫')
  })
  it('HEAD has the same fields and no body', () => {
    const head = answer({ method: 'HEAD' })
    expect(head.body).toHaveLength(0)
    expect(head.lines).toEqual(answer({}).lines)
  })
  it('CONNECT has a body, as any refusal', () => {
    expect(answer({ method: 'CONNECT' }).text).toContain('</html>')
  })
  it('says when to come back, where that is known', () => {
    expect(answer({ reason: 'logins-of-address' }).field('Retry-After')).toBe('60')
    expect(answer({ reason: 'connections-of-address' }).field('Retry-After')).toBe('10')
    expect(answer({}).field('Retry-After')).toBeUndefined()
  })
  it('the language follows Accept-Language', () => {
    const { field, text } = answer({ acceptLanguage: 'en;q=0.9, sv;q=0.8' })
    expect(field('Content-Language')).toBe('en')
    expect(text).toContain('<html lang="en">')
  })
  it('the connection ends where it is told to', () => {
    expect(answer({ keepAlive: false }).field('Connection')).toBe('close')
  })
  it('a challenge names each scheme', () => {
    const missing: Verdict = { ...verdict, action: 'challenge', reason: 'credentials-missing' }
    const { status, lines } = answer({
      reason: 'credentials-missing',
      verdict: { ...missing, rule: 'zone:office' },
      challenges: ['Negotiate', CHALLENGE],
    })
    expect(status).toBe('HTTP/1.1 407 Sign in')
    expect(lines.filter((line) => line.startsWith('Proxy-Authenticate'))).toEqual([
      'Proxy-Authenticate: Negotiate',
      `Proxy-Authenticate: ${CHALLENGE}`,
    ])
  })
  it('what fails after a metered allow is not blamed on the category', () => {
    const allowed: Verdict = { ...verdict, action: 'allow', reason: 'minutes-left' }
    const { status, text } = answer({
      reason: 'dial-failed',
      verdict: { ...allowed, rule: 'category:social', metered: 'social' },
    })
    expect(status).toBe('HTTP/1.1 502 The site does not answer')
    expect(text).not.toContain('sociala medier')
    expect(text).not.toContain('KS 2026/12')
  })
})

describe('what is told cannot become a field', () => {
  const scraps = ['\r\nX: y', '\r\n\r\n<html>', '"; x="', '\\', 'våld', '\n', '\0', '\u2028', 'a']
  const scrap = fc.oneof(
    fc.constantFrom(...scraps),
    fc.nat(0xff_ff).map((code) => String.fromCharCode(code)),
  )
  const hostile = fc.array(scrap, { maxLength: 12 }).map((parts) => parts.join(''))
  const { names } = answer({})

  it('by rule, host, user or decision', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, hostile, (rule, host, user, by) => {
        const told = { ...verdict, rule: `category:${rule}`, decision: { by, dnr: by, date: by } }
        const { status, lines, names: found, field, body } = answer({ verdict: told, host, user })
        expect(found).toEqual(names)
        expect([status, ...lines].filter((line) => !/^[ -~]+$/.test(line))).toEqual([])
        expect(field('Sluss-Reason')).toMatch(/^category-blocked; rule="[^"\\]*"$/)
        expect(field('Proxy-Status')).toMatch(/^sluss; error=[a-z_]+; details="[^"\\]*"$/)
        expect(Number(field('Content-Length'))).toBe(body.length)
      }),
      { numRuns: 500 },
    )
  })
  it('and shows what it cannot hold as ?', () => {
    const told = { ...verdict, rule: 'category:v\u00e5ld"\r\n\\' }
    expect(answer({ verdict: told }).field('Sluss-Reason')).toBe(
      'category-blocked; rule="category:v?ld????"',
    )
  })
})

/** RFC 9209 section 2.3 and the registry it made. */
const PROXY_ERRORS = [
  ...['dns_error', 'destination_ip_prohibited', 'connection_refused', 'connection_terminated'],
  ...['connection_timeout', 'connection_limit_reached', 'http_request_error'],
  ...['http_request_denied', 'http_protocol_error', 'http_response_timeout'],
  ...['proxy_internal_error', 'proxy_loop_detected'],
]

/** What node:http, as a client, makes of `bytes`. */
function readByNode(bytes: Buffer): Promise<{ message: IncomingMessage; body: string }> {
  const wire = new Duplex({ read() {}, write: (_bytes, _encoding, done) => done() })
  return new Promise((resolve, reject) => {
    const request = http.request({ createConnection: () => wire }, (message) => {
      let body = ''
      message.setEncoding('utf8')
      message.on('data', (text: string) => (body += text))
      message.on('end', () => resolve({ message, body }))
    })
    request.on('error', reject)
    request.end(() => wire.push(bytes))
  })
}

describe('every reason that is answered', () => {
  for (const reason of Object.keys(REASONS) as Reason[]) {
    const { action, status, proxyError, en } = REASONS[reason]
    if (action === 'allow' || action === 'close') continue
    it(`${reason}: ${status}, and node:http reads it so`, async () => {
      const said = action === 'fail' ? 'allow' : action
      const told: Verdict = { ...verdict, action: said, reason, rule: 'a-rule' }
      const { message, body } = await readByNode(
        refusalBytes({ ...blocked, reason, verdict: told, acceptLanguage: 'en' }),
      )
      expect(statusOf(reason)).toBe(status)
      expect(status).toSatisfy((code: number) => code >= 400 && code < 600)
      expect(message.statusCode).toBe(status)
      expect(message.statusMessage).toBe(en.title)
      expect(message.headers['sluss-reason']).toBe(`${reason}; rule="a-rule"`)
      const error = proxyError === '' ? '' : ` error=${proxyError};`
      expect(message.headers['proxy-status']).toBe(`sluss;${error} details="${reason} a-rule"`)
      expect(['', ...PROXY_ERRORS]).toContain(proxyError)
      expect(Number(message.headers['content-length'])).toBe(Buffer.byteLength(body))
      expect(body).toContain(`<dd>${reason}</dd>`)
    })
  }

  it('a reason of allow has no status: it is never an answer', () => {
    const allowing = Object.values(REASONS).filter(({ action }) => action === 'allow')
    expect(allowing.map(({ status }) => status)).toEqual(allowing.map(() => 0))
  })
})
