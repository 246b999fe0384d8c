import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { damage, savedMinutes } from './stand/files.ts'
import { type Origin, pattern, sha256, startPlain } from './stand/origin.ts'
import { until } from './stand/sluss.ts'
import { buildTown, type Town, type TownOptions } from './stand/town.ts'
import { digestOf, send } from './stand/tunnel.ts'
import { Tunnels } from './stand/tunnels.ts'
import { Wire } from './stand/wire.ts'

const LAST = pattern(3_000_000)

let town: Town
/** Sends the head of an answer and its first bytes, and the rest when the test says so. */
let slow: Origin
let finish: (() => void)[]
beforeEach(async () => {
  finish = []
  slow = await startPlain((socket) => {
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${LAST.length}\r\n\r\n`)
      socket.write(LAST.subarray(0, 1_000))
      finish.push(() => socket.write(LAST.subarray(1_000)))
    })
  })
})
afterEach(async () => {
  await town.close()
  await slow.close()
})

async function build(options: TownOptions): Promise<void> {
  town = await buildTown({ launcher: true, ports: [slow.port], ...options })
}

const drain = (time: string): TownOptions => ({ more: `limits: { drain: ${time} }` })

function get(host: string, port: number, path = '/'): string {
  const authority = `${host}:${port}`
  return `GET http://${authority}${path} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`
}

/** Of the flows that were recorded as opened, how each ended; `open` where nothing says so. */
function endings(): string[] {
  const closed = new Map(
    town.sluss
      .lines("event = 'closed'")
      .map((line) => [`${line.run} ${line.thread} ${line.flow}`, String(line.ending)]),
  )
  return town.sluss
    .lines("event = 'opened'")
    .map((line) => closed.get(`${line.run} ${line.thread} ${line.flow}`) ?? 'open')
    .toSorted()
}

async function refused(): Promise<void> {
  await until('no new connection is taken', async () => {
    const text = get('news.test', town.http.port)
    return send(town.sluss.port, text).then(
      () => false,
      (error: Error) => error.message.includes('ECONNREFUSED'),
    )
  })
}

describe('a stop', () => {
  it('closes what is idle at once, waits for what is under way, and takes nothing new', async () => {
    await build(drain('10m'))
    const { sluss, http } = town
    const idle = new Wire(sluss.port)
    idle.send(get('news.test', http.port, '/hello'))
    expect((await idle.reply()).status).toBe(200)
    const silent = new Wire(sluss.port)
    const download = new Wire(sluss.port)
    download.send(get('notbad.test', slow.port))
    await until('the download has begun', () => download.rest.length > 1_000)
    await sluss.line("event = 'opened' AND port = ?", slow.port)

    sluss.signal('SIGTERM')
    await refused()
    await idle.ended()
    await silent.ended()
    finish[0]!()
    const { content } = await download.reply()
    expect(sha256(content)).toBe(sha256(LAST))
    // Ten minutes are what it might have taken: it ends because nothing is left to wait for.
    expect(await sluss.exited()).toBe(0)
    await download.ended()
    expect(endings()).toEqual(['complete'])
    expect(sluss.lines('port = ?', slow.port)).toHaveLength(2)
    expect(damage(sluss.state)).toEqual([])
    expect(existsSync(join(sluss.state, 'control.sock'))).toBe(false)
    for (const wire of [idle, silent, download]) wire.close()
  })

  it('ends what is not done in time, and every flow has its last line', async () => {
    await build(drain('500ms'))
    const { sluss, echo, http } = town
    const tunnels = await Tunnels.open(sluss.port, 20, [`news.test:${echo.port}`])
    const drip = new Wire(sluss.port)
    drip.send(get('www.news.test', http.port, '/drip'))
    const young = new Wire(sluss.port)
    await until('all are in the log', () => sluss.lines("event = 'opened'").length === 21)
    young.send(get('notbad.test', http.port, '/drip'))
    await until('it drips', () => young.rest.endsWith('x\r\n'))
    await tunnels.move()
    sluss.signal('SIGTERM')
    expect(await sluss.exited()).toBe(0)
    await drip.ended()
    await young.ended()
    expect(tunnels.faults).toHaveLength(20)
    expect(endings().filter((ending) => ending !== 'shutdown')).toEqual([])
    expect(endings().length).toBeGreaterThanOrEqual(21)
    const lines = sluss.lines("host = 'notbad.test' AND event <> 'opened'")
    expect(lines).toMatchObject([{ ending: 'shutdown', verdict: 'allow', status: 200 }])
    for (const wire of [drip, young]) wire.close()
  })

  it('with no time to wait still keeps every line and every minute', async () => {
    await build(drain('0s'))
    const { sluss, echo } = town
    const tunnels = await Tunnels.open(sluss.port, 20, [`face.test:${echo.port}`])
    await tunnels.move()
    sluss.signal('SIGTERM')
    expect(await sluss.exited()).toBe(0)
    const lines = sluss.lines("event <> 'opened'")
    expect(lines.map(({ ending }) => ending)).toEqual(Array(20).fill('shutdown'))
    expect(endings()).not.toContain('open')
    expect(savedMinutes(sluss.state)).toBeGreaterThan(0)
    tunnels.close()
  })

  it('lets a slow client have the last of its answer', async () => {
    await build(drain('10m'))
    const { sluss, http } = town
    const { socket, head } = await paused(get('news.test', http.port, '/bytes/20000000'))
    sluss.signal('SIGTERM')
    await refused()
    const { length, hash } = await digestOf(socket)
    expect([head.length + length, await sluss.exited()]).toEqual([head.length + 20_000_000, 0])
    expect(hash).toBe(sha256(pattern(20_000_000)))
    expect(sluss.lines("port = ? AND event <> 'opened'", http.port).at(-1)).toMatchObject({
      ending: 'complete',
    })
  })

  /** A request of which the client reads the head of the answer, and no more for now. */
  function paused(text: string): Promise<{ socket: Socket; head: string }> {
    return new Promise((resolve) => {
      const { socket } = new Wire(town.sluss.port)
      socket.removeAllListeners('data')
      let held = Buffer.alloc(0)
      const onData = (bytes: Buffer) => {
        held = Buffer.concat([held, bytes])
        const end = held.indexOf('\r\n\r\n')
        if (end < 0) return
        socket.off('data', onData).pause()
        socket.unshift(held.subarray(end + 4))
        resolve({ socket, head: held.toString('latin1', 0, end) })
      }
      socket.on('data', onData)
      socket.write(text)
    })
  }

  it.each([
    ['SIGTERM', 'SIGTERM'],
    ['SIGINT', 'SIGINT'],
    ['SIGTERM', 'SIGINT'],
  ] as const)(
    'asked for twice (%s, %s) waits for nobody, and loses nothing',
    async (first, second) => {
      await build(drain('10m'))
      const { sluss, echo } = town
      const tunnels = await Tunnels.open(sluss.port, 4, [`news.test:${echo.port}`])
      await until('all are in the log', () => sluss.lines("event = 'opened'").length === 4)
      sluss.signal(first)
      await refused()
      await tunnels.move()
      expect(tunnels.faults).toEqual([])
      sluss.signal(second)
      expect(await sluss.exited()).toBe(0)
      expect(endings()).toEqual(Array(4).fill('shutdown'))
      expect(sluss.errors).toContain('"msg":"stopping at once"')
      tunnels.close()
    },
  )
})

describe('a start that cannot be', () => {
  beforeEach(() => build({}))

  /** Starts a second Sluss of the same settings; it must not come to serve. */
  async function start(...options: readonly string[]) {
    const { sluss } = town
    const ran = await sluss.run(...options, 'start')
    expect(ran.stdout).toBe('')
    expect(ran.code).toBe(2)
    expect(ran.stderr).not.toMatch(/^\s+at /m)
    // The first one goes on.
    expect((await sluss.status()).healthy).toBe(true)
    const reply = await send(sluss.port, get('news.test', town.http.port))
    expect(reply.status).toBe(200)
    return ran.stderr
  }

  it('is told that another one has the state', async () => {
    const { state } = town.sluss
    expect(await start()).toBe(
      `sluss: a service runs already with its state in ${state}; stop it first, or choose another with --state DIR\n`,
    )
  })

  it('is told that another program has the port, also where that is another Sluss', async () => {
    const { sluss, http } = town
    const { folder } = sluss
    for (const port of [http.port, sluss.port]) {
      const state = join(folder, `other-${port}`)
      const said = await start('--state', state, '--set', `listen.proxy=127.0.0.1:${port}`)
      expect(said).toBe(
        `sluss: 127.0.0.1:${port} cannot be listened on (EADDRINUSE); another program listens there: stop it, or change listen.proxy\n`,
      )
      expect(existsSync(join(state, 'control.sock'))).toBe(false)
    }
    const portal = ['--set', `listen.portal=127.0.0.1:${http.port}`]
    expect(await start('--state', join(folder, 'third'), ...portal)).toBe(
      `sluss: 127.0.0.1:${http.port} cannot be listened on (EADDRINUSE); another program listens there: stop it, or change listen.portal\n`,
    )
  })

  it('is told what is wrong with the state folder', async () => {
    const { folder } = town.sluss
    const file = join(folder, 'file')
    writeFileSync(file, '')
    const shared = join(folder, 'shared')
    mkdirSync(shared, { mode: 0o755 })
    writeFileSync(join(shared, 'letter.txt'), '')
    const deep = join(folder, 'x'.repeat(100))
    for (const [state, why] of [
      [file, 'there is a file of that name'],
      [join(file, 'state'), 'a part of its path is a file'],
      [deep, 'its path is too long for a socket in it'],
      [shared, 'it is open to other users and holds what is not ours'],
    ] as const) {
      expect(await start('--state', state)).toBe(
        `sluss: ${state} cannot be the state folder: ${why}; choose another with --state DIR\n`,
      )
    }
    expect(statSync(shared).mode & 0o777).toBe(0o755)
  })
})

describe('a state folder', () => {
  it('is its owner’s alone, also where it was there before', async () => {
    await build({ start: false })
    const { sluss } = town
    mkdirSync(sluss.state, { mode: 0o755 })
    await sluss.start({ launcher: true })
    expect(statSync(sluss.state).mode & 0o777).toBe(0o700)
    expect(await sluss.stop()).toBe(0)
  })
})
