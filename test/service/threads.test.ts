import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { Tally } from '../../src/proxy/tally.ts'
import { until } from '../e2e/stand/sluss.ts'
import { openWorld } from '../proxy/world.ts'
import { Parts } from './threads-stand.ts'

let parts: Parts
afterEach(() => parts.close())

async function start(count: number): Promise<void> {
  parts = new Parts(count)
  await parts.threads.start()
}

/** `count` requests, each of which has to be answered. */
async function ask(name: string, count = 8): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => parts.ask(`${name}-${i}`)))
}

describe('a proxy thread that dies', () => {
  it('is replaced, and the port answers all the while', async () => {
    await start(2)
    const { port, threads, proxies } = parts
    await ask('before')
    await proxies[0]!.terminate()
    await ask('meanwhile')
    await parts.replaced(3)
    // The new one is no mere name: it answers alone.
    await proxies[1]!.terminate()
    await ask('by-the-new-one')
    await parts.replaced(4)
    await ask('after')
    expect([threads.count, parts.port]).toEqual([2, port])
    expect(parts.said.filter((line) => line.includes('a proxy thread died'))).toHaveLength(2)
  })

  it('holds no more of what is counted over all threads', async () => {
    await start(2)
    const { proxies, tally: buffer } = parts
    const [dying, living] = [new Tally(buffer, 0), new Tally(buffer, 1)]
    for (let i = 0; i < 5; i++) {
      dying.take('address', 1, 10)
      living.take('address', 1, 10)
      dying.takeTunnel(10)
    }
    expect([living.held('address', 1), living.tunnels]).toEqual([10, 5])
    await proxies[0]!.terminate()
    await parts.replaced(3)
    expect([living.held('address', 1), living.tunnels]).toEqual([5, 0])
    expect(parts.tally).toBe(buffer)
  })

  it('comes back to its port where it was the only one', async () => {
    await start(1)
    const { port, proxies } = parts
    await proxies[0]!.terminate()
    await expect(parts.ask('too-early')).rejects.toThrow('ECONNREFUSED')
    await parts.replaced(2)
    expect(parts.port).toBe(port)
    await ask('after')
  })

  it('comes back with the policy of the day', async () => {
    await start(2)
    const { threads, proxies } = parts
    await proxies[0]!.terminate()
    threads.replace(openWorld(2))
    await until('the other one knows', () => threads.version === 1)
    await parts.replaced(3)
    await until('both work by it', () => threads.version === 2)
    threads.replace(openWorld(3))
    await until('both work by the next', () => threads.version === 3)
  })

  it('keeps nobody waiting who wants to know that all work by the newest world', async () => {
    await start(2)
    const { threads, proxies } = parts
    await threads.acknowledged()
    threads.replace(openWorld(2))
    await threads.acknowledged()
    expect(threads.version).toBe(2)
    await proxies[0]!.terminate()
    threads.replace(openWorld(3))
    // The one that has died cannot say so; the one that replaces it begins with the newest.
    await threads.acknowledged()
    expect(threads.version).toBe(3)
    threads.replace(openWorld(4))
    const acknowledged = threads.acknowledged()
    await threads.drain(0)
    await acknowledged
  })

  it('tries again until it can listen', async () => {
    await start(1)
    const { port, proxies, said } = parts
    await proxies[0]!.terminate()
    const squatter = createServer()
    await once(squatter.listen(port, '127.0.0.1'), 'listening')
    await until('it has tried twice', () => proxies.length >= 3)
    expect(said.join('')).toContain(`127.0.0.1:${port} cannot be listened on (EADDRINUSE)`)
    squatter.close()
    await until('it listens', () => parts.listening.has(proxies.at(-1)!))
    await ask('after')
  })

  it('leaves its counts behind, without what was open', async () => {
    await start(2)
    const { threads, proxies } = parts
    await ask('before')
    await until('all are counted', () => threads.counters.requests === 8)
    await proxies[0]!.terminate()
    await proxies[1]!.terminate()
    await parts.replaced(4)
    await until('it counts on', () => threads.counters.connectionsOpen === 0)
    expect(threads.counters).toMatchObject({ requests: 8, reasons: { 'port-forbidden': 8 } })
    await ask('after')
    await until('the new ones add to it', () => threads.counters.requests === 16)
  })

  it('is not waited for by a drain', async () => {
    await start(2)
    const { threads, proxies } = parts
    await proxies[0]!.terminate()
    await threads.drain(60_000)
    await expect(parts.ask('too-late')).rejects.toThrow('ECONNREFUSED')
    expect(proxies).toHaveLength(2)
  })

  it('loses no record that was acknowledged, and its successor’s are told from its own', async () => {
    await start(1)
    const { threads, proxies } = parts
    await ask('before')
    await until('all are acknowledged', () => threads.counters.recordsAcknowledged === 8)
    await proxies[0]!.terminate()
    await parts.replaced(2)
    await ask('after')
    await until('all are acknowledged', () => threads.counters.recordsAcknowledged === 16)
    const paths = parts.rows().map(({ path }) => path)
    expect(new Set(paths).size).toBe(16)
    expect(paths).toHaveLength(16)
    expect(new Set(parts.rows().map(({ thread }) => thread)).size).toBe(2)
  })
})

describe('a port', () => {
  it('that another program has keeps them from starting', async () => {
    const squatter = createServer()
    await once(squatter.listen(0, '127.0.0.1'), 'listening')
    await start(1)
    const { threads } = parts
    const address = squatter.address()
    if (address === null || typeof address === 'string') throw new Error('it has no port')
    const taken = { address: '127.0.0.1', port: address.port }
    const fault = await threads.check([...threads.endpoints, taken])
    expect(fault?.message).toBe(
      `127.0.0.1:${taken.port} cannot be listened on (EADDRINUSE); another program listens there: stop it, or change listen.proxy`,
    )
    squatter.close()
  })

  it('that is ours already is no obstacle, on whatever address', async () => {
    await start(2)
    const { threads, port } = parts
    expect(await threads.check([...threads.endpoints, { address: '127.0.0.2', port }])).toBeNull()
  })
})
