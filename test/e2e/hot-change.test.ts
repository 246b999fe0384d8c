import { readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { callService } from '../../src/cli/control.ts'
import { formatUser, hashPassword } from '../../src/identity/index.ts'
import type { QuotaReport } from '../../src/ledger/report.ts'
import type { UserName } from '../../src/policy/index.ts'
import { until, type Writing } from './stand/sluss.ts'
import { buildTown, FROM, type Town, USER } from './stand/town.ts'
import { openTunnel, type Reply, send, sendFrom } from './stand/tunnel.ts'
import { Tunnels } from './stand/tunnels.ts'
import { Wire } from './stand/wire.ts'

const TUNNELS = 200
/** The kernel deals connections out to the threads by a hash: so many meet both, as good as always. */
const REQUESTS = 8

let town: Town

function head(host: string, port: number, ...fields: string[]): string {
  const authority = `${host}:${port}`
  const lines = [`GET http://${authority}/hello HTTP/1.1`, `Host: ${authority}`, ...fields]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** The different first lines of the answers to requests for `host` on connections of their own. */
async function answers(host: string, port = town.sluss.port): Promise<string[]> {
  const text = head(host, town.http.port, 'Connection: close')
  const replies = await Promise.all(Array.from({ length: REQUESTS }, () => send(port, text)))
  return [...new Set(replies.map(({ line }) => line))]
}

const ALLOWED = ['HTTP/1.1 200 OK']
const REFUSED = ['HTTP/1.1 403 This site is refused: porn']

/** Changes files, and waits until a policy that knows of it is in force on every thread. */
async function change(edit: () => void): Promise<void> {
  const { policy } = await town.sluss.status()
  edit()
  await town.sluss.policyAfter(policy)
}

const list = (...hosts: string[]) => `# a list\n${hosts.join('\n')}\n`

describe('two hundred tunnels with traffic on each', () => {
  let tunnels: Tunnels
  beforeAll(async () => {
    town = await buildTown()
    const { sluss, echo } = town
    const hosts = ['news.test', 'www.news.test', 'face.test', 'gram.test']
    const authorities = hosts.map((host) => `${host}:${echo.port}`)
    tunnels = await Tunnels.open(sluss.port, TUNNELS, authorities)
  })
  afterAll(async () => {
    tunnels.close()
    await town.close()
  })
  afterEach(async () => {
    await tunnels.move()
    expect(tunnels.faults).toEqual([])
    expect((await town.sluss.status()).counters.tunnelsOpen).toBe(TUNNELS)
  })

  it.each<Writing>(['in place', 'renamed over', 'recreated'])(
    'do not notice a list that is written %s, and the new list holds at once',
    async (how) => {
      const { sluss } = town
      for (const [listed, removed] of [
        ['notbad.test', 'bad.test'],
        ['bad.test', 'notbad.test'],
        ['notbad.test', 'bad.test'],
        ['bad.test', 'notbad.test'],
      ] as const) {
        await change(() => sluss.write('lists/porn.txt', list(listed), how))
        expect(await answers(listed)).toEqual(REFUSED)
        expect(await answers(`deep.${listed}`)).toEqual(REFUSED)
        expect(await answers(removed)).toEqual(ALLOWED)
        await tunnels.move()
      }
      await until('all have their line', () => {
        const verdicts = sluss.lines("host = 'notbad.test'").map(({ verdict }) => verdict)
        const blocked = verdicts.filter((verdict) => verdict === 'block').length
        return blocked > 0 && blocked === verdicts.length - blocked
      })
    },
  )

  it('do not even notice that their own host is listed, and nobody joins them', async () => {
    const { sluss, echo } = town
    await change(() => sluss.write('lists/porn.txt', list('bad.test', 'news.test', 'face.test')))
    expect(await answers('news.test')).toEqual(REFUSED)
    const { reply, socket } = await openTunnel(sluss.port, `face.test:${echo.port}`)
    socket.destroy()
    expect([reply.line]).toEqual(REFUSED)
    await tunnels.move()
    await change(() => sluss.write('lists/porn.txt', list('bad.test')))
  })

  it('do not notice edit after edit, and the last one is in force in the end', async () => {
    const { sluss } = town
    for (let i = 0; i < 100; i++) {
      const how = (['in place', 'renamed over', 'recreated'] as const)[i % 3]!
      sluss.write('lists/porn.txt', list('bad.test', `edit-${i}.bets.test`), how)
      // Some of them fall between two looks, and some in the midst of a reload.
      if (i % 10 === 9) await sluss.status()
    }
    sluss.write('lists/porn.txt', list('notbad.test'))
    await until('the last is in force', async () => (await answers('bad.test'))[0] === ALLOWED[0])
    expect(await answers('bad.test')).toEqual(ALLOWED)
    expect(await answers('notbad.test')).toEqual(REFUSED)
    await change(() => sluss.write('lists/porn.txt', list('bad.test')))
  })

  it('do not notice SIGHUP, which reads everything again', async () => {
    const { sluss } = town
    const before = sluss.errors.length
    await change(() => sluss.signal('SIGHUP'))
    await until('it says so', () =>
      /"why":"SIGHUP".*"msg":"reloaded"/.test(sluss.errors.slice(before)),
    )
    expect(await answers('bad.test')).toEqual(REFUSED)
  })

  it('have carried every byte, and are closed by nobody but their clients', async () => {
    const { sluss, echo } = town
    const carried = await tunnels.settle()
    expect(tunnels.faults).toEqual([])
    expect(echo.connections).toBe(TUNNELS)
    const ended = "method = 'CONNECT' AND event = 'closed'"
    expect(sluss.lines(ended)).toEqual([])
    const { reply, socket } = await openTunnel(sluss.port, `notbad.test:${echo.port}`)
    expect(reply.status).toBe(200)
    socket.destroy()
    tunnels.close()
    await until('all have their last line', () => sluss.lines(ended).length >= TUNNELS)
    const lines = sluss.lines(`${ended} AND host <> 'notbad.test'`)
    const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0)
    expect(sum(lines.map(({ bytes_up }) => Number(bytes_up)))).toBe(sum(carried))
    expect(sum(lines.map(({ bytes_down }) => Number(bytes_down)))).toBe(sum(carried))
    expect(new Set(lines.map(({ ending }) => ending))).toEqual(new Set(['client-closed']))
    // The last test of these: what afterEach asks of open tunnels is asked of new ones.
    tunnels = await Tunnels.open(sluss.port, TUNNELS, [`news.test:${echo.port}`])
  })
})
