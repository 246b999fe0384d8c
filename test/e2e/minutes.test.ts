import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { callService } from '../../src/cli/control.ts'
import type { QuotaReport, QuotaRow } from '../../src/ledger/report.ts'
import { dayStartMs, parseTime } from '../../src/policy/index.ts'
import { savedMinutes, threadsOf } from './stand/files.ts'
import { until } from './stand/sluss.ts'
import { buildTown, FROM, type Town, type TownOptions } from './stand/town.ts'
import { openTunnel, type Reply, sendFrom } from './stand/tunnel.ts'

const STOCKHOLM = { timezone: 'Europe/Stockholm', startsMinute: 0 }
const at = (text: string) => parseTime(STOCKHOLM, text)!
const MINUTE_MS = 60_000

let town: Town
let sockets: Socket[] = []
async function build(options: TownOptions): Promise<void> {
  town = await buildTown(options)
}
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets = []
  await town.close()
})

async function rows(): Promise<readonly QuotaRow[]> {
  const { sluss } = town
  return (await callService<QuotaReport>(sluss.state, { command: 'quota.list' }))?.rows ?? []
}

async function used(user: string = FROM.local): Promise<number> {
  return (await rows()).find((row) => row.user === user)?.used ?? 0
}

/** A tunnel to the echo under a platform's name. */
async function tunnelTo(host: string): Promise<Socket> {
  const { reply, socket } = await openTunnel(town.sluss.port, `${host}:${town.echo.port}`)
  expect(reply.status).toBe(200)
  sockets.push(socket)
  socket.on('error', () => {})
  return socket
}

/** Sends `length` bytes and waits for all of them to come back: twice as many have moved. */
function exchange(socket: Socket, length: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = length
    const onData = (bytes: Buffer) => {
      left -= bytes.length
      if (left > 0) return
      socket.off('data', onData)
      socket.off('close', onClose)
      resolve()
    }
    const onClose = () => reject(new Error('the tunnel was closed'))
    socket.on('data', onData)
    socket.once('close', onClose)
    socket.write(Buffer.alloc(length, 120))
    socket.resume()
  })
}

async function get(host: string, from: string = FROM.local): Promise<Reply> {
  const { sluss, http } = town
  const authority = `${host}:${http.port}`
  const head = `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\nAccept-Language: sv\r\n\r\n`
  return sendFrom(from, { host: '127.0.0.1', port: sluss.port }, head)
}

/** Spends minute after minute from `startMs`, and sees each one charged once. */
async function spend(socket: Socket, startMs: number, minutes: number): Promise<void> {
  const before = await used()
  for (let minute = 0; minute < minutes; minute++) {
    await town.sluss.setTime(startMs + minute * MINUTE_MS)
    await exchange(socket, 1_024)
    await until(`minute ${minute + 1} is charged`, async () => (await used()) > before + minute)
    expect(await used()).toBe(before + minute + 1)
  }
}

describe.each([
  ['the day the clocks go forward', '2026-03-29', 23],
  ['the day the clocks go back', '2026-10-25', 25],
])('sixty minutes on %s', (_name, date, hours) => {
  it(`are spent after sixty, and come back at midnight, ${hours} hours on`, async () => {
    const startMs = at(`${date} 00:30`)
    await build({ atMs: startMs })
    const { sluss } = town
    const tunnel = await tunnelTo('face.test')
    const closed = new Promise<void>((resolve) => tunnel.once('close', () => resolve()))
    await spend(tunnel, startMs, 60)

    const refused = await get('gram.test')
    expect(refused.line).toBe("HTTP/1.1 403 Today's minutes are used: social")
    expect(refused.body).toContain('Dagens minuter är slut')
    const nextDay = dayStartMs(STOCKHOLM, Date.parse(date) / 86_400_000 + 1)
    expect((nextDay - at(date)) / 3_600_000).toBe(hours)
    const returns = new Date(Date.parse(date) + 86_400_000).toISOString().slice(0, 10)
    expect(refused.body).toContain(`${returns} 00:00`)
    expect(await sluss.line("host = 'gram.test' AND verdict = 'spent'")).toMatchObject({
      reason: 'minutes-spent',
      rule: 'category:social',
      categories: 'social',
      platforms: 'gram',
      status: 403,
    })

    await closed
    expect(await sluss.line("host = 'face.test' AND event = 'closed'")).toMatchObject({
      verdict: 'allow',
      reason: 'minutes-left',
      ending: 'spent',
      bytes_up: 60 * 1_024,
      bytes_down: 60 * 1_024,
    })

    await sluss.setTime(nextDay - 5_000)
    expect((await get('gram.test')).status).toBe(403)
    await sluss.setTime(nextDay)
    expect((await get('gram.test')).status).toBe(200)
    expect(await used()).toBe(0)
  })
})

describe('a minute', () => {
  const noon = at('2026-06-10 12:00:10')

  it('is charged once for three tunnels that only together pass the threshold, on two threads', async () => {
    await build({ atMs: noon, threads: 2, quota: '{ threshold: 12KiB, grace: 2s }' })
    const tunnels = await Promise.all(
      ['face.test', 'gram.test', 'cdn.face.test', 'face.test'].map(tunnelTo),
    )
    // The kernel deals connections out by a hash of their ports: more of them until both threads have one.
    await until('both threads have a tunnel', async () => {
      if (threadsOf(town.sluss.state).length === 2) return true
      tunnels.push(await tunnelTo('face.test'))
      return false
    })
    // Each moves less than the threshold; all of them together more.
    const share = Math.ceil((12 * 1_024) / tunnels.length / 2) + 1
    expect(share * 2).toBeLessThan(12 * 1_024)
    await Promise.all(tunnels.map((tunnel) => exchange(tunnel, share)))
    await until('the minute is charged', async () => (await used()) > 0)
    expect(await used()).toBe(1)
    await town.sluss.setTime(noon + MINUTE_MS)
    await Promise.all(tunnels.map((tunnel) => exchange(tunnel, share)))
    await until('the next is charged', async () => (await used()) > 1)
    expect(await used()).toBe(2)
    const [row] = await rows()
    expect(row).toMatchObject({ minutes: '12:00–12:01', left: 58 })
  })

  it('is not charged below the threshold, nor for background hosts, nor in the schools', async () => {
    await build({ atMs: noon })
    const quiet = await tunnelTo('face.test')
    await exchange(quiet, 100)
    await exchange(await tunnelTo('widget.face.test'), 100_000)
    expect((await get('face.test', FROM.schools)).status).toBe(200)
    const line = await town.sluss.line("zone = 'schools'")
    expect(line).toMatchObject({ reason: 'zone-unmetered', rule: 'zone:schools' })
    // What was not charged cannot be waited for: a minute that is charged afterwards can.
    await town.sluss.setTime(noon + 3 * MINUTE_MS)
    await exchange(quiet, 2_000)
    await until('that minute is charged', async () => (await used()) > 0)
    expect((await rows()).map(({ user, minutes }) => [user, minutes])).toEqual([
      [FROM.local, '12:03'],
    ])
    const widget = await town.sluss.line("host = 'widget.face.test' AND event = 'opened'")
    expect(widget).toMatchObject({ reason: 'background' })
  })

  it('is saved, and there again after SIGKILL', async () => {
    await build({ atMs: noon })
    const { sluss } = town
    await spend(await tunnelTo('face.test'), noon, 3)
    await sluss.setTime(noon + 4 * MINUTE_MS)
    await until('the minutes are saved', async () => {
      const { stdout } = await sluss.run('quota', FROM.local, '--day', '2026-06-10', '--json')
      return stdout.includes('12:00–12:02')
    })
    await until('they are on disk', () => savedMinutes(sluss.state) === 3)
    sluss.signal('SIGKILL')
    await sluss.exited()
    await sluss.start({ atMs: noon + 5 * MINUTE_MS })
    expect(await used()).toBe(3)
  })
})

describe('an exemption', () => {
  const exemptions = `- user: ${FROM.local}
  platforms: [face]
  purpose: Kommunens sida
  department: Kommunledningskontoret
  decidedBy: Förvaltningschef
  dnr: KS 2026/123
  from: 2026-06-10
  until: 2026-06-10
`

  it('frees from its platforms, and from no others, on its days', async () => {
    const morning = at('2026-06-10 09:00:10')
    await build({ atMs: morning, exemptions })
    const { sluss } = town
    await exchange(await tunnelTo('face.test'), 10_000)
    const line = await sluss.line("host = 'face.test' AND event = 'opened'")
    expect(line).toMatchObject({
      verdict: 'allow',
      reason: 'exempt',
      rule: 'exemption:KS 2026/123',
      decision: 'KS 2026/123',
    })
    await exchange(await tunnelTo('gram.test'), 10_000)
    await until('gram is charged', async () => (await used()) === 1)
    await sluss.setTime(at('2026-06-11 09:00:10'))
    await exchange(await tunnelTo('face.test'), 10_000)
    await until('face is charged the day after', async () => (await used()) === 1)
    expect(await sluss.line("host = 'face.test' AND reason = 'minutes-left'")).toBeTruthy()
  })

  it('is in force within a second of its being written, and its end as well', async () => {
    const morning = at('2026-06-10 09:00:10')
    await build({ atMs: morning })
    const { sluss } = town
    const { policy } = await sluss.status()
    sluss.write('exemptions.yaml', exemptions)
    await sluss.policyAfter(policy)
    await get('face.test')
    expect(await sluss.line("reason = 'exempt'")).toMatchObject({ host: 'face.test' })
    const { stdout } = await sluss.run('exempt', 'history', '--json')
    expect(JSON.parse(stdout)).toMatchObject([{ changes: [] }, { how: 'editor' }])
    sluss.write('exemptions.yaml', '[]\n')
    await sluss.policyAfter(policy + 1)
    await get('face.test')
    expect(await sluss.line("host = 'face.test' AND reason = 'minutes-left'")).toBeTruthy()
  })
})

describe('minutes given', () => {
  it('open what was spent', async () => {
    const noon = at('2026-06-10 12:00:10')
    await build({ atMs: noon })
    const { sluss } = town
    await spend(await tunnelTo('face.test'), noon, 60)
    expect((await get('face.test')).status).toBe(403)
    const given = await sluss.run('quota', 'give', FROM.local, '10', '--why', 'krisinformation')
    expect(given).toMatchObject({ code: 0, stderr: '' })
    expect((await get('face.test')).status).toBe(200)
    const [row] = await rows()
    expect(row).toMatchObject({ used: 60, given: 10, left: 10 })
    expect(row!.gifts).toMatchObject([{ minutes: 10, why: 'krisinformation' }])
  })
})
