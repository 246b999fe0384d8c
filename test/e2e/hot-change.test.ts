import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { callService } from '../../src/cli/control.ts'
import type { QuotaReport } from '../../src/ledger/report.ts'
import { ALLOWED, answers, change, editSettings, head, list, REFUSED } from './stand/changing.ts'
import { until, type Writing } from './stand/sluss.ts'
import { buildTown, FROM, type Town } from './stand/town.ts'
import { openTunnel, send, sendFrom } from './stand/tunnel.ts'
import { Tunnels } from './stand/tunnels.ts'
import { Wire } from './stand/wire.ts'

const TUNNELS = 200

let town: Town

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
  /** Each is there and has carried more. */
  async function unharmed(): Promise<void> {
    await tunnels.move()
    expect(tunnels.faults).toEqual([])
    // Threads tell their counters once a second.
    await until('all of them are counted', async () => {
      return (await town.sluss.status()).counters.tunnelsOpen === TUNNELS
    })
  }

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
        await change(town, () => sluss.write('lists/porn.txt', list(listed), how))
        expect(await answers(town, listed)).toEqual(REFUSED)
        expect(await answers(town, `deep.${listed}`)).toEqual(REFUSED)
        expect(await answers(town, removed)).toEqual(ALLOWED)
        await unharmed()
      }
      await until('all have their line', () => {
        const verdicts = sluss.ended("host = 'notbad.test'").map(({ verdict }) => verdict)
        const blocked = verdicts.filter((verdict) => verdict === 'block').length
        return blocked > 0 && blocked === verdicts.length - blocked
      })
    },
  )

  it('do not even notice that their own host is listed, and nobody joins them', async () => {
    const { sluss, echo } = town
    await change(town, () =>
      sluss.write('lists/porn.txt', list('bad.test', 'news.test', 'face.test')),
    )
    expect(await answers(town, 'news.test')).toEqual(REFUSED)
    const { reply, socket } = await openTunnel(sluss.port, `face.test:${echo.port}`)
    socket.destroy()
    expect([reply.line]).toEqual(REFUSED)
    await unharmed()
    await change(town, () => sluss.write('lists/porn.txt', list('bad.test')))
  })

  it('do not notice edit after edit: no moment is without a list, and the last one holds', async () => {
    const { sluss, http } = town
    const seen = new Set<string>()
    let editing = true
    const asking = (async () => {
      while (editing) seen.add((await send(sluss.port, head('bad.test', http.port))).line)
    })()
    for (let i = 0; i < 100; i++) {
      const how = (['in place', 'renamed over', 'recreated'] as const)[i % 3]!
      sluss.write('lists/porn.txt', list('bad.test', `edit-${i}.bets.test`), how)
      // Some of them fall between two looks, and some in the midst of a reload.
      if (i % 10 === 9) await sluss.status()
    }
    editing = false
    await asking
    expect([...seen]).toEqual(REFUSED)
    sluss.write('lists/porn.txt', list('notbad.test'))
    await until('the last holds on every thread', async () => {
      const now = [await answers(town, 'bad.test'), await answers(town, 'notbad.test')]
      return isDeepStrictEqual(now, [ALLOWED, REFUSED])
    })
    await change(town, () => sluss.write('lists/porn.txt', list('bad.test')))
    await unharmed()
  })

  it('do not notice SIGHUP, which reads everything again', async () => {
    const { sluss } = town
    const before = sluss.errors.length
    await change(town, () => sluss.signal('SIGHUP'))
    await until('it says so', () =>
      /"why":"SIGHUP".*"msg":"reloaded"/.test(sluss.errors.slice(before)),
    )
    expect(await answers(town, 'bad.test')).toEqual(REFUSED)
    await unharmed()
  })

  it('have carried every byte, and are closed by nobody but their clients', async () => {
    const { sluss, echo } = town
    const carried = await tunnels.settle()
    expect(tunnels.faults).toEqual([])
    expect(echo.connections).toBe(TUNNELS)
    const ended = "method = 'CONNECT' AND event = 'closed'"
    expect(sluss.lines(ended)).toEqual([])
    tunnels.close()
    await until('all have their last line', () => sluss.lines(ended).length >= TUNNELS)
    const lines = sluss.lines(ended)
    expect(lines).toHaveLength(TUNNELS)
    const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0)
    expect(sum(lines.map(({ bytes_up }) => Number(bytes_up)))).toBe(sum(carried))
    expect(sum(lines.map(({ bytes_down }) => Number(bytes_down)))).toBe(sum(carried))
  })
})

async function minutes(): Promise<number> {
  const report = await callService<QuotaReport>(town.sluss.state, { command: 'quota.list' })
  return report?.rows.find(({ user }) => user === FROM.local)?.used ?? 0
}

describe('a change of the settings', () => {
  let tunnels: Tunnels
  let kept: Wire
  beforeAll(async () => {
    town = await buildTown({ quota: '{ threshold: 1MiB, grace: 2s }' })
    const { sluss, echo } = town
    tunnels = await Tunnels.open(sluss.port, 8, [`news.test:${echo.port}`])
    kept = new Wire(sluss.port)
  })
  /** Every connection there was is there still. */
  afterEach(async () => {
    await tunnels.move()
    expect(tunnels.faults).toEqual([])
    kept.send(head('help.test', town.http.port))
    expect((await kept.reply()).status).toBe(200)
  })
  afterAll(async () => {
    kept.close()
    tunnels.close()
    await town.close()
  })

  it('to a category more, before the others, holds at once', async () => {
    const { sluss } = town
    expect(await answers(town, 'notbad.test')).toEqual(ALLOWED)
    await change(town, () => {
      sluss.write('lists/lottery.txt', list('notbad.test'))
      editSettings(town, [
        '  porn:\n',
        '  lottery: { action: block, lists: lists/lottery.txt }\n  porn:\n',
      ])
    })
    expect(await answers(town, 'notbad.test')).toEqual([
      'HTTP/1.1 403 This site is refused: lottery',
    ])
    expect(await answers(town, 'bad.test')).toEqual(REFUSED)
    await until('the lines have the new category', () => {
      const lines = sluss.ended("host = 'notbad.test' AND rule = 'category:lottery'")
      return lines.some(({ categories }) => categories === 'lottery')
    })
  })

  it('to the ports holds at once', async () => {
    const { sluss, http, echo } = town
    await change(town, () =>
      editSettings(town, [`${echo.port}, `, ''], [`http: [${http.port}]`, 'http: [9]']),
    )
    expect(await answers(town, 'news.test')).toEqual(['HTTP/1.1 403 The port is not allowed'])
    const { reply, socket } = await openTunnel(sluss.port, `news.test:${echo.port}`)
    socket.destroy()
    expect(reply.line).toBe('HTTP/1.1 403 The port is not allowed')
    const open = `connect: [${echo.port}, `
    await change(town, () =>
      editSettings(town, ['http: [9]', `http: [${http.port}]`], ['connect: [', open]),
    )
    expect(await answers(town, 'news.test')).toEqual(ALLOWED)
    expect(await sluss.line("method = 'CONNECT' AND reason = 'port-forbidden'")).toMatchObject({
      rule: 'ports.connect',
      verdict: 'refuse',
    })
  })

  it('to the zones holds at once, also on a connection that is open', async () => {
    const { sluss, http } = town
    const target = { host: '127.0.0.1', port: sluss.port }
    const fromNone = () => sendFrom(FROM.none, target, head('www.news.test', http.port))
    expect((await fromNone()).status).toBe(403)
    await change(town, () =>
      editSettings(
        town,
        ['name: local,', 'name: hall,'],
        [
          'identify: address }\n',
          'identify: address }\n  - { name: barn, networks: 127.0.9.0/24, identify: network }\n',
        ],
      ),
    )
    expect((await fromNone()).status).toBe(200)
    kept.send(head('www.news.test', http.port))
    expect((await kept.reply()).status).toBe(200)
    await sluss.line("host = 'www.news.test' AND zone = 'barn' AND user = 'barn'")
    await sluss.line("host = 'www.news.test' AND zone = 'hall'")
  })

  it('to the threshold of a minute holds for tunnels that are open', async () => {
    // At its pace, one tunnel would need most of a minute for a mebibyte.
    const one = await Tunnels.open(town.sluss.port, 1, [`face.test:${town.echo.port}`])
    await one.move()
    expect(await minutes()).toBe(0)
    await change(town, () => editSettings(town, ['threshold: 1MiB', 'threshold: 1KiB']))
    await until('a minute is charged', async () => (await minutes()) > 0)
    expect(one.faults).toEqual([])
    one.close()
  })

  it('to the limits holds for the next request of a connection that is open', async () => {
    const { http } = town
    const large = head('help.test', http.port, `X-Large: ${'x'.repeat(2_000)}`)
    const open = new Wire(town.sluss.port)
    open.send(large)
    expect((await open.reply()).status).toBe(200)
    await change(town, () =>
      town.sluss.write(
        'sluss.yaml',
        `${readFileSync(town.sluss.config, 'utf8')}limits: { head: 1KiB }\n`,
      ),
    )
    open.send(large)
    expect((await open.reply()).status).toBe(431)
    await open.ended()
    open.close()
  })
})

/** A port that nobody listens on now. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

describe('listen.proxy', () => {
  let tunnels: Tunnels
  beforeAll(async () => {
    town = await buildTown()
    tunnels = await Tunnels.open(town.sluss.port, 8, [`news.test:${town.echo.port}`])
  })
  afterAll(async () => {
    tunnels.close()
    await town.close()
  })

  it('moves to another port: that one answers, the old one does not, and connections live on', async () => {
    const { sluss, http } = town
    const kept = new Wire(sluss.port)
    kept.send(head('news.test', http.port))
    expect((await kept.reply()).status).toBe(200)
    const port = await freePort()
    await change(town, () => editSettings(town, ['proxy: 127.0.0.1:0', `proxy: 127.0.0.1:${port}`]))
    expect((await sluss.status()).proxy).toEqual([{ address: '127.0.0.1', port }])
    expect(await answers(town, 'news.test', port)).toEqual(ALLOWED)
    expect(await answers(town, 'bad.test', port)).toEqual(REFUSED)
    await expect(answers(town, 'news.test', sluss.port)).rejects.toThrow('ECONNREFUSED')
    kept.send(head('news.test', http.port))
    expect((await kept.reply()).status).toBe(200)
    kept.close()
    await tunnels.move()
    expect(tunnels.faults).toEqual([])
    sluss.port = port
  })

  it('is refused where another program listens, and stays where it was', async () => {
    const { sluss, http } = town
    const before = sluss.errors.length
    const { policy } = await sluss.status()
    editSettings(town, [`127.0.0.1:${sluss.port}`, `127.0.0.1:${http.port}`])
    await until('it is refused', async () => (await sluss.status()).loaded.outcome === 'refused')
    const { loaded, proxy, policy: after } = await sluss.status()
    expect(loaded.problems).toEqual([
      `${sluss.config}: listen.proxy: 127.0.0.1:${http.port} — cannot be listened on (EADDRINUSE); another program listens there: stop it, or change listen.proxy`,
    ])
    expect(sluss.errors.slice(before)).toContain(`127.0.0.1:${http.port} — cannot be listened on`)
    expect([proxy[0]!.port, after]).toEqual([sluss.port, policy])
    expect(await answers(town, 'news.test')).toEqual(ALLOWED)
    await change(town, () =>
      editSettings(town, [`127.0.0.1:${http.port}`, `127.0.0.1:${sluss.port}`]),
    )
    expect(await answers(town, 'news.test')).toEqual(ALLOWED)
    await tunnels.move()
    expect(tunnels.faults).toEqual([])
  })
})
