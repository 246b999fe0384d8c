import { readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
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
  /** Each is there and has carried more. */
  async function unharmed(): Promise<void> {
    await tunnels.move()
    expect(tunnels.faults).toEqual([])
    expect((await town.sluss.status()).counters.tunnelsOpen).toBe(TUNNELS)
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
        await change(() => sluss.write('lists/porn.txt', list(listed), how))
        expect(await answers(listed)).toEqual(REFUSED)
        expect(await answers(`deep.${listed}`)).toEqual(REFUSED)
        expect(await answers(removed)).toEqual(ALLOWED)
        await unharmed()
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
    await unharmed()
    await change(() => sluss.write('lists/porn.txt', list('bad.test')))
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
      const now = [await answers('bad.test'), await answers('notbad.test')]
      return isDeepStrictEqual(now, [ALLOWED, REFUSED])
    })
    await change(() => sluss.write('lists/porn.txt', list('bad.test')))
    await unharmed()
  })

  it('do not notice SIGHUP, which reads everything again', async () => {
    const { sluss } = town
    const before = sluss.errors.length
    await change(() => sluss.signal('SIGHUP'))
    await until('it says so', () =>
      /"why":"SIGHUP".*"msg":"reloaded"/.test(sluss.errors.slice(before)),
    )
    expect(await answers('bad.test')).toEqual(REFUSED)
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

/** Edits the settings as text: every `before` must be there. */
function settings(...edits: readonly (readonly [before: string, after: string])[]): void {
  let text = readFileSync(town.sluss.config, 'utf8')
  for (const [before, after] of edits) {
    if (!text.includes(before)) throw new Error(`the settings have no ${before}`)
    text = text.replace(before, after)
  }
  town.sluss.write('sluss.yaml', text)
}

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
    expect(await answers('notbad.test')).toEqual(ALLOWED)
    await change(() => {
      sluss.write('lists/lottery.txt', list('notbad.test'))
      settings(['  porn:\n', '  lottery: { action: block, lists: lists/lottery.txt }\n  porn:\n'])
    })
    expect(await answers('notbad.test')).toEqual(['HTTP/1.1 403 This site is refused: lottery'])
    expect(await answers('bad.test')).toEqual(REFUSED)
    await until('the lines have the new category', () => {
      const lines = sluss.lines("host = 'notbad.test' AND rule = 'category:lottery'")
      return lines.some(({ categories }) => categories === 'lottery')
    })
  })

  it('to the ports holds at once', async () => {
    const { sluss, http, echo } = town
    await change(() => settings([`${echo.port}, `, ''], [`http: [${http.port}]`, 'http: [9]']))
    expect(await answers('news.test')).toEqual(['HTTP/1.1 403 The port is not allowed'])
    const { reply, socket } = await openTunnel(sluss.port, `news.test:${echo.port}`)
    socket.destroy()
    expect(reply.line).toBe('HTTP/1.1 403 The port is not allowed')
    const open = `connect: [${echo.port}, `
    await change(() => settings(['http: [9]', `http: [${http.port}]`], ['connect: [', open]))
    expect(await answers('news.test')).toEqual(ALLOWED)
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
    await change(() =>
      settings(
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
    await change(() => settings(['threshold: 1MiB', 'threshold: 1KiB']))
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
    await change(() =>
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
    await change(() => settings(['proxy: 127.0.0.1:0', `proxy: 127.0.0.1:${port}`]))
    expect((await sluss.status()).proxy).toEqual([{ address: '127.0.0.1', port }])
    expect(await answers('news.test', port)).toEqual(ALLOWED)
    expect(await answers('bad.test', port)).toEqual(REFUSED)
    await expect(answers('news.test', sluss.port)).rejects.toThrow('ECONNREFUSED')
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
    settings([`127.0.0.1:${sluss.port}`, `127.0.0.1:${http.port}`])
    await until('it is refused', async () => (await sluss.status()).loaded.outcome === 'refused')
    const { loaded, proxy, policy: after } = await sluss.status()
    expect(loaded.problems).toEqual([
      `${sluss.config}: listen.proxy: 127.0.0.1:${http.port} — cannot be listened on (EADDRINUSE); another program listens there: stop it, or change listen.proxy`,
    ])
    expect(sluss.errors.slice(before)).toContain(`127.0.0.1:${http.port} — cannot be listened on`)
    expect([proxy[0]!.port, after]).toEqual([sluss.port, policy])
    expect(await answers('news.test')).toEqual(ALLOWED)
    await change(() => settings([`127.0.0.1:${http.port}`, `127.0.0.1:${sluss.port}`]))
    expect(await answers('news.test')).toEqual(ALLOWED)
    await tunnels.move()
    expect(tunnels.faults).toEqual([])
  })
})

/** How a file is broken, what must be said of it, and in which line. */
interface Broken {
  readonly name: string
  readonly file: string
  /** Null: it is deleted. */
  readonly text: string | Buffer | null
  /** Of the file that the problem is in, where it is another. */
  readonly place: string
  readonly what: string
}

const JUNK = Buffer.from(Array.from({ length: 3_000 }, (_, i) => (i * 167 + (i >> 4)) & 0xff))

const BROKEN: readonly Broken[] = [
  {
    name: 'sluss.yaml is binary junk',
    file: 'sluss.yaml',
    text: JUNK,
    place: 'sluss.yaml:1: ',
    what: 'not UTF-8',
  },
  {
    name: 'sluss.yaml has an unknown key',
    file: 'sluss.yaml',
    text: 'version: 1\nlissten: { proxy: 127.0.0.1:0 }\n',
    place: 'sluss.yaml:2: ',
    what: 'did you mean listen?',
  },
  {
    name: 'sluss.yaml is empty',
    file: 'sluss.yaml',
    text: '',
    place: 'sluss.yaml',
    what: 'version',
  },
  {
    name: 'sluss.yaml is gone',
    file: 'sluss.yaml',
    text: null,
    place: 'sluss.yaml: ',
    what: 'there is no such file',
  },
  {
    name: 'platforms.yaml is binary junk',
    file: 'platforms.yaml',
    text: JUNK,
    place: 'platforms.yaml:1: ',
    what: 'not UTF-8',
  },
  {
    name: 'platforms.yaml has a platform without domains',
    file: 'platforms.yaml',
    text: 'face:\n  title: Face\n  domains: [face.test]\ngram: { title: Gram }\n',
    place: 'platforms.yaml:4: ',
    what: 'gram.domains',
  },
  {
    name: 'platforms.yaml is gone',
    file: 'platforms.yaml',
    text: null,
    place: 'sluss.yaml:',
    what: 'there is no such file',
  },
  {
    name: 'exemptions.yaml is binary junk',
    file: 'exemptions.yaml',
    text: JUNK,
    place: 'exemptions.yaml:1: ',
    what: 'not UTF-8',
  },
  {
    name: 'exemptions.yaml has a row without an end',
    file: 'exemptions.yaml',
    text: '- user: anna.andersson\n  platforms: [face]\n',
    place: 'exemptions.yaml:1: ',
    what: 'until',
  },
  {
    name: 'exemptions.yaml is gone',
    file: 'exemptions.yaml',
    text: null,
    place: 'exemptions.yaml: ',
    what: 'there is no such file',
  },
  {
    name: 'a list is binary junk',
    file: 'lists/porn.txt',
    text: JUNK,
    place: 'lists/porn.txt:1: ',
    what: 'no line can be used',
  },
  {
    name: 'a list has no usable line',
    file: 'lists/porn.txt',
    text: '# a list\nhttps://bad.test/page\nhttps://bad.test/other\n',
    place: 'lists/porn.txt:2: ',
    what: 'no line can be used',
  },
  {
    name: 'a list is cut to nothing',
    file: 'lists/porn.txt',
    text: '',
    place: 'lists/porn.txt: ',
    what: 'the list has no lines',
  },
  {
    name: 'a list is gone',
    file: 'lists/porn.txt',
    text: null,
    place: 'sluss.yaml:',
    what: 'there is no such file',
  },
  {
    name: 'the users are binary junk',
    file: 'users.txt',
    text: JUNK,
    place: 'users.txt:1: ',
    what: 'a name that cannot be',
  },
  {
    name: 'the users are gone',
    file: 'users.txt',
    text: null,
    place: 'sluss.yaml:',
    what: 'there is no such file',
  },
]

describe('a broken file', () => {
  let wire: Wire
  beforeAll(async () => {
    town = await buildTown()
    wire = new Wire(town.sluss.port)
  })
  afterAll(async () => {
    wire.close()
    await town.close()
  })

  /** Everything that the files are needed for still is as they said. */
  async function asBefore(): Promise<void> {
    const { sluss, http } = town
    expect(await answers('bad.test')).toEqual(REFUSED)
    expect(await answers('news.test')).toEqual(ALLOWED)
    wire.send(head('hate.test', http.port))
    expect((await wire.reply()).status).toBe(403)
    expect((await signedIn(USER.name, USER.password)).status).toBe(200)
    expect((await signedIn(USER.name, 'wrong-password')).status).toBe(407)
    const face = head('face.test', http.port)
    expect((await sendFrom(FROM.local, { host: '127.0.0.1', port: sluss.port }, face)).status).toBe(
      200,
    )
  }

  it.each(BROKEN)('changes nothing and says so: $name', async ({ file, text, place, what }) => {
    const { sluss } = town
    const good = readFileSync(sluss.path(file))
    const { policy } = await sluss.status()
    const said = sluss.errors.length
    if (text === null) rmSync(sluss.path(file))
    else sluss.write(file, text)
    await until('it is refused', async () => (await sluss.status()).loaded.outcome === 'refused')
    const { loaded, policy: after, healthy } = await sluss.status()
    const told = loaded.problems.find((problem) => problem.includes(what)) ?? ''
    expect(loaded.problems.join('\n')).toContain(what)
    expect(told).toContain(sluss.path(place))
    expect([after, healthy]).toEqual([policy, true])
    const lines = sluss.errors.slice(said).trim().split('\n')
    const messages = lines.map((line) => (JSON.parse(line) as { msg: string }).msg)
    expect(messages).toContain(told)
    expect(messages.at(-1)).toBe('not reloaded: what was in force before still is')
    await asBefore()
    await change(() => sluss.write(file, good))
    expect((await sluss.status()).loaded).toMatchObject({ outcome: 'in force', problems: [] })
    await asBefore()
  })

  it('is shown by ./sluss status until it is corrected', async () => {
    const { sluss } = town
    const { policy } = await sluss.status()
    // A link to itself can neither be read nor watched, and ends nobody.
    rmSync(sluss.path('lists/hate.txt'), { force: true })
    symlinkSync('hate.txt', sluss.path('lists/hate.txt'))
    settings(['lists/racism.txt', 'lists/hate.txt'])
    await until('it is refused', async () => (await sluss.status()).loaded.outcome === 'refused')
    const shown = await sluss.run('status')
    expect(shown).toMatchObject({ code: 0, stderr: '' })
    expect(shown.stdout).toMatch(/^files read +\S+ \(refused\)$/m)
    expect(shown.stdout).toMatch(
      /^ {2}refused +\S+sluss\.yaml:\d+: categories\.racism\.lists.*ELOOP/m,
    )
    await asBefore()
    rmSync(sluss.path('lists/hate.txt'))
    sluss.write('lists/hate.txt', list('hate.test'))
    await sluss.policyAfter(policy)
    await asBefore()
    const well = await sluss.run('status', '--json')
    expect(JSON.parse(well.stdout)).toMatchObject({ loaded: { outcome: 'in force', problems: [] } })
  })

  it('is told of as soon as it is written, by the clock of the service', async () => {
    const { sluss } = town
    const { policy } = await sluss.status()
    sluss.write('lists/porn.txt', list('bad.test', 'worse.test'))
    await sluss.policyAfter(policy)
    const { loaded } = await sluss.status()
    const tookMs = Date.parse(loaded.at) - statSync(sluss.path('lists/porn.txt')).mtimeMs
    // A second is what is promised, and is held on a machine that has time; a stuck watch would take for ever.
    expect(tookMs).toBeLessThan(10_000)
  })
})

/** A request from the office, where people sign in. */
function signedIn(user: string, password: string): Promise<Reply> {
  const credentials = Buffer.from(`${user}:${password}`).toString('base64')
  const text = head('news.test', town.http.port, `Proxy-Authorization: Basic ${credentials}`)
  return sendFrom(FROM.office, { host: '127.0.0.1', port: town.sluss.port }, text)
}

describe('the users', () => {
  beforeAll(async () => {
    town = await buildTown()
  })
  afterAll(() => town.close())

  it('change while they work: who is removed is asked at the next request, who is new is let in', async () => {
    const { sluss, http } = town
    const lineOf = async (name: string, password: string) => {
      return `${formatUser(name as UserName, { hash: await hashPassword(password), groups: [] })}\n`
    }
    const anna = readFileSync(sluss.path('users.txt'), 'utf8')
    const bo = await lineOf('bo.berg', 'Vinter-2026')
    const field = (user: string, password: string) =>
      `Proxy-Authorization: Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
    const wire = new Wire(sluss.port, FROM.office)
    const ask = async (user: string, password: string) => {
      wire.send(head('news.test', http.port, field(user, password)))
      return (await wire.reply()).status
    }
    expect(await ask(USER.name, USER.password)).toBe(200)
    expect(await ask('bo.berg', 'Vinter-2026')).toBe(407)

    await change(() => sluss.write('users.txt', anna + bo))
    expect(await ask(USER.name, USER.password)).toBe(200)
    expect(await ask('bo.berg', 'Vinter-2026')).toBe(200)

    await change(() => sluss.write('users.txt', bo, 'renamed over'))
    expect(await ask(USER.name, USER.password)).toBe(407)
    expect(await ask('bo.berg', 'Vinter-2026')).toBe(200)

    const changed = await lineOf('bo.berg', 'Sommar-2027')
    await change(() => sluss.write('users.txt', anna + changed, 'recreated'))
    expect(await ask('bo.berg', 'Vinter-2026')).toBe(407)
    expect(await ask('bo.berg', 'Sommar-2027')).toBe(200)
    expect(await ask(USER.name, USER.password)).toBe(200)
    wire.close()
    await until('each has its line', () => sluss.lines("zone = 'office'").length === 9)
    const reasons = sluss.lines("zone = 'office'").map(({ user, status }) => `${user} ${status}`)
    expect(reasons.toSorted()).toEqual(
      [
        ...Array.from({ length: 3 }, () => `${USER.name} 200`),
        ...Array.from({ length: 3 }, () => 'bo.berg 200'),
        ...Array.from({ length: 3 }, () => ' 407'),
      ].toSorted(),
    )
  })
})
