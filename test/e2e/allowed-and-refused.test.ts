import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { curl, has } from './stand/programs.ts'
import { buildTown, FROM, type Town, USER } from './stand/town.ts'
import { openTunnel, send, sendFrom } from './stand/tunnel.ts'

let town: Town
beforeAll(async () => {
  town = await buildTown()
})
afterAll(() => town.close())

describe('an allowed site', () => {
  it('is reached over HTTP, and the line says so', async () => {
    const { sluss, http } = town
    const url = `http://news.test:${http.port}/hello?secret=1`
    const reply = await send(
      sluss.port,
      `GET ${url} HTTP/1.1\r\nHost: news.test:${http.port}\r\n\r\n`,
    )
    expect(reply.status).toBe(200)
    expect(reply.body).toBe(`hello from news.test:${http.port}`)
    expect(await sluss.line("host = 'news.test' AND method = 'GET'")).toMatchObject({
      user: '127.0.0.1',
      address: '127.0.0.1',
      zone: 'local',
      port: http.port,
      verdict: 'allow',
      reason: 'default',
      rule: 'default',
      status: 200,
      path: '',
      ending: 'complete',
    })
  })

  it.runIf(has('curl'))('is reached by curl over HTTPS', async () => {
    const { sluss, https } = town
    const url = `https://www.news.test:${https.port}/hello`
    const { stdout } = await curl(town, [url])
    expect(stdout).toBe(`hello from www.news.test:${https.port}`)
    const line = await sluss.line("host = 'www.news.test' AND method = 'CONNECT'")
    expect(line).toMatchObject({ verdict: 'allow', status: 200, ending: 'complete' })
    expect(line.bytes_down).toBeGreaterThan(500)
  })
})

/** What a site of a blocked category answers, whatever it is called. */
async function refused(authority: string): Promise<void> {
  const { sluss } = town
  const { reply, socket } = await openTunnel(sluss.port, authority)
  socket.destroy()
  expect(reply.line).toBe('HTTP/1.1 403 This site is refused: porn')
  expect(reply.fields.get('sluss-reason')).toBe('category-blocked; rule="category:porn"')
  expect(reply.fields.get('proxy-status')).toContain('error=http_request_denied')
}

describe('a listed host', () => {
  const port = () => town.https.port

  it('is refused by its name, its subdomain and every spelling of them', async () => {
    const spellings = [
      'bad.test',
      'www.bad.test',
      'a.b.c.bad.test',
      'BAD.Test',
      'bad.test.',
      'WWW.BAD.TEST.',
      '%62ad.test',
      'ｂａｄ.test',
    ]
    for (const spelling of spellings) {
      const bytes = Buffer.from(`${spelling}:${port()}`, 'utf8').toString('latin1')
      const reply = await send(
        town.sluss.port,
        `CONNECT ${bytes} HTTP/1.1\r\nHost: ${bytes}\r\n\r\n`,
      )
      expect([spelling, reply.line]).toEqual([spelling, 'HTTP/1.1 403 This site is refused: porn'])
    }
    await refused(`bad.test:${port()}`)
  })

  it('is recorded with its category, rule and decision', async () => {
    const { sluss, http } = town
    const authority = `deep.bad.test:${http.port}`
    const reply = await send(
      sluss.port,
      `GET http://${authority}/x HTTP/1.1\r\nHost: ${authority}\r\nAccept-Language: en\r\n\r\n`,
    )
    expect(reply.status).toBe(403)
    expect(reply.body).toContain('<html lang="en">')
    expect(reply.body).toContain('Kommunstyrelsen, KS 2026/17, 2026-02-03')
    expect(await sluss.line("host = 'deep.bad.test'")).toMatchObject({
      verdict: 'block',
      reason: 'category-blocked',
      rule: 'category:porn',
      decision: 'KS 2026/17',
      categories: 'porn',
      status: 403,
      ending: 'refused',
    })
  })

  it('does not take its look-alikes with it', async () => {
    const { sluss, http } = town
    const authority = `notbad.test:${http.port}`
    const reply = await send(
      sluss.port,
      `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
    )
    expect(reply.status).toBe(200)
    expect(await sluss.line("host = 'notbad.test'")).toMatchObject({ verdict: 'allow' })
  })

  it('gives way to the never-block list', async () => {
    const { sluss, http } = town
    const authority = `help.test:${http.port}`
    const reply = await send(
      sluss.port,
      `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
    )
    expect(reply.status).toBe(200)
    expect(await sluss.line("host = 'help.test'")).toMatchObject({
      reason: 'never-block',
      categories: 'gambling',
    })
  })
})

describe('user information in an address', () => {
  it('is refused, not read past', async () => {
    const { sluss, http, https } = town
    for (const [request, status] of [
      [`GET http://news.test@bad.test:${http.port}/ HTTP/1.1`, 400],
      [`CONNECT news.test@bad.test:${https.port} HTTP/1.1`, 400],
    ] as const) {
      const reply = await send(sluss.port, `${request}\r\nHost: bad.test\r\n\r\n`)
      expect([request, reply.status]).toEqual([request, status])
      expect(reply.fields.get('sluss-reason')).toContain('userinfo-forbidden')
    }
  })
})

describe('where somebody sits', () => {
  it('decides how they are known', async () => {
    const { sluss } = town
    const target = { host: '127.0.0.1', port: sluss.port }
    const from = async (zone: keyof typeof FROM, fields = '') => {
      const { http } = town
      const authority = `news.test:${http.port}`
      const head = `GET http://${authority}/${zone} HTTP/1.1\r\nHost: ${authority}\r\n${fields}\r\n`
      return sendFrom(FROM[zone], target, head)
    }
    expect((await from('schools')).status).toBe(200)
    expect((await from('none')).status).toBe(403)
    const challenge = await from('office')
    expect(challenge.status).toBe(407)
    expect(challenge.fields.get('proxy-authenticate')).toBe('Basic realm="Sluss", charset="UTF-8"')
    const credentials = (password: string) =>
      `Proxy-Authorization: Basic ${Buffer.from(`${USER.name}:${password}`).toString('base64')}\r\n`
    expect((await from('office', credentials('wrong'))).status).toBe(407)
    expect((await from('office', credentials(USER.password))).status).toBe(200)
    expect(await sluss.line("zone = 'office' AND status = 200")).toMatchObject({
      user: USER.name,
      address: FROM.office,
    })
    expect(await sluss.line("zone = 'schools'")).toMatchObject({ user: 'schools' })
    expect(await sluss.line("address = '127.0.9.1'")).toMatchObject({
      verdict: 'refuse',
      reason: 'zone-unknown',
      zone: '',
    })
    expect(await sluss.line("reason = 'credentials-wrong'")).toMatchObject({ status: 407 })
  })
})
