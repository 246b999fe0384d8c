import { networkInterfaces } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Origin, sha256, startOrigin } from './stand/origin.ts'
import { curl, has, python, wget } from './stand/programs.ts'
import { until } from './stand/sluss.ts'
import { buildTown, type Town } from './stand/town.ts'

const IPV6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
)

let town: Town
let http6: Origin
beforeAll(async () => {
  http6 = await startOrigin(null, IPV6 ? '::1' : '127.0.0.1')
  town = await buildTown({ ports: [http6.port] })
})
afterAll(() => Promise.all([town.close(), http6.close()]))

const plain = (host: string, path: string) => `http://${host}:${town.http.port}${path}`
const secure = (host: string, path: string) => `https://${host}:${town.https.port}${path}`
const ALLOWED = { verdict: 'allow', reason: 'default', status: 200, ending: 'complete' }

describe.runIf(has('curl'))('curl', () => {
  it('uploads more than 1 MiB when the origin says continue', async () => {
    const { sluss, http } = town
    const body = 'ett två tre '.repeat(200_000)
    const args = ['--data-binary', '@-', '--header', 'Expect: 100-continue', '--verbose']
    const { stdout, stderr } = await curl(town, [...args, plain('news.test', '/upload')], body)
    expect(stdout).toBe(sha256(Buffer.from(body)))
    expect(stderr).toContain('< HTTP/1.1 100 Continue')
    expect(http.requests.at(-1)!.headers.expect).toBe('100-continue')
    const line = await sluss.line("host = 'news.test' AND ending <> 'open'")
    expect(line).toMatchObject({ ...ALLOWED, method: 'POST' })
    expect(line.bytes_up).toBeGreaterThan(Buffer.byteLength(body))
  })

  it('asks for several pages on one connection, HEAD and chunks among them', async () => {
    const { sluss } = town
    const urls = ['/hello', '/chunked', '/bytes/10'].map((path) => plain('www.news.test', path))
    const write = ['--write-out', '\n%{http_code} %{num_connects}\n']
    const { stdout } = await curl(town, [...write, ...urls.slice(0, 2)])
    expect(stdout.split('\n')).toEqual([
      `hello from www.news.test:${town.http.port}`,
      '200 1',
      'one two three',
      '200 0',
      '',
    ])
    const head = await curl(town, ['--head', urls[2]!])
    expect(head.stdout).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    const where = "host = 'www.news.test' AND method = ?"
    await until('two lines', () => sluss.ended(where, 'GET').length === 2)
    expect(sluss.ended(where, 'GET')).toMatchObject([ALLOWED, ALLOWED])
    expect(await sluss.line(where, 'HEAD')).toMatchObject(ALLOWED)
  })

  it.runIf(IPV6)('reaches an IPv6 address over HTTP and through a tunnel', async () => {
    const { sluss } = town
    const url = `http://[::1]:${http6.port}/hello`
    const hello = `hello from [::1]:${http6.port}`
    expect(await curl(town, ['--globoff', url])).toMatchObject({ stdout: hello })
    expect(await curl(town, ['--globoff', '--proxytunnel', url])).toMatchObject({ stdout: hello })
    for (const method of ['GET', 'CONNECT']) {
      const line = await sluss.line("host = '::1' AND method = ? AND ending <> 'open'", method)
      expect(line).toMatchObject({ ...ALLOWED, port: http6.port })
    }
  })

  it('is told why a site is refused', async () => {
    const { sluss } = town
    const https = await curl(town, [secure('bad.test', '/')])
    expect(https.code).not.toBe(0)
    expect(https.stderr).toContain('403')
    const http = await curl(town, ['--header', 'Accept-Language: sv', plain('bad.test', '/')])
    expect(http.stdout).toContain('<h1>Webbplatsen är stoppad</h1>')
    for (const method of ['GET', 'CONNECT']) {
      const line = await sluss.line("host = 'bad.test' AND method = ?", method)
      expect(line).toMatchObject({ verdict: 'block', rule: 'category:porn', status: 403 })
    }
  })
})

describe.runIf(has('wget'))('wget', () => {
  it('reaches what is allowed over HTTP and HTTPS, and is refused what is not', async () => {
    const { sluss } = town
    const urls = [plain('notbad.test', '/chunked'), secure('notbad.test', '/hello')]
    const { code, stdout } = await wget(town, urls)
    expect([code, stdout]).toEqual([0, `one two threehello from notbad.test:${town.https.port}`])
    const refused = await wget(town, [plain('bets.test', '/'), secure('bets.test', '/')])
    expect(refused.code).not.toBe(0)
    for (const method of ['GET', 'CONNECT']) {
      const line = await sluss.line("host = 'notbad.test' AND method = ?", method)
      expect(line).toMatchObject({ verdict: 'allow', status: 200 })
      expect(await sluss.line("host = 'bets.test' AND method = ?", method)).toMatchObject({
        verdict: 'block',
        rule: 'category:gambling',
      })
    }
  })
})

/** Opens each address in turn with urllib, and says what became of it. */
const URLLIB = `
import os, ssl, sys, urllib.error, urllib.request
proxy = 'http://' + os.environ['PROXY']
context = ssl.create_default_context(cafile=os.environ['CACERT'])
opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({'http': proxy, 'https': proxy}),
    urllib.request.HTTPSHandler(context=context))
for url in sys.argv[1:]:
    try:
        with opener.open(url, timeout=60) as answer:
            print(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        print(error.code, error.headers['Sluss-Reason'])
    except urllib.error.URLError as error:
        print(error.reason)
`

/** Uploads in chunks through a tunnel that http.client opens, then asks again on the same connection. */
const HTTP_CLIENT = `
import http.client, os, ssl, sys
context = ssl.create_default_context(cafile=os.environ['CACERT'])
connection = http.client.HTTPSConnection(os.environ['PROXY'], context=context, timeout=60)
connection.set_tunnel(sys.argv[1])
connection.request('POST', '/upload', body=(b'x' * 1000 for _ in range(1000)), encode_chunked=True,
                   headers={'Transfer-Encoding': 'chunked'})
print(connection.getresponse().read().decode())
connection.request('GET', '/hello')
print(connection.getresponse().read().decode())
`

describe.runIf(has('python3'))('Python', () => {
  it('opens pages with urllib, and hears of refusals', async () => {
    const { sluss, http, https } = town
    const host = 'help.test'
    const urls = [plain(host, '/hello'), secure(host, '/hello'), plain('hate.test', '/')]
    const { stdout } = await python(town, URLLIB, [...urls, secure('hate.test', '/')])
    expect(stdout.split('\n')).toEqual([
      `200 hello from ${host}:${http.port}`,
      `200 hello from ${host}:${https.port}`,
      '403 category-blocked; rule="category:racism"',
      'Tunnel connection failed: 403 This site is refused: racism',
      '',
    ])
    for (const method of ['GET', 'CONNECT']) {
      const line = await sluss.line("host = 'help.test' AND method = ?", method)
      expect(line).toMatchObject({ verdict: 'allow', reason: 'never-block', status: 200 })
      expect(await sluss.line("host = 'hate.test' AND method = ?", method)).toMatchObject({
        verdict: 'block',
        rule: 'category:racism',
        status: 403,
      })
    }
  })

  it('keeps a tunnel of http.client for upload and page', async () => {
    const { sluss, https } = town
    const authority = `xn--bcher-kva.test:${https.port}`
    const { stdout } = await python(town, HTTP_CLIENT, [authority])
    expect(stdout.split('\n')).toEqual([
      sha256(Buffer.alloc(1_000_000, 'x')),
      `hello from ${authority}`,
      '',
    ])
    const line = await sluss.line("host = 'xn--bcher-kva.test' AND ending <> 'open'")
    expect(line).toMatchObject({ method: 'CONNECT', verdict: 'allow', status: 200 })
    expect(line.bytes_up).toBeGreaterThan(1_000_000)
  })
})
