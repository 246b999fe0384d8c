import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { damage } from '../e2e/stand/files.ts'
import { until } from '../e2e/stand/sluss.ts'
import { Parts } from './threads-stand.ts'

let parts: Parts
beforeEach(async () => {
  parts = new Parts(2)
  await parts.threads.start()
})
afterEach(() => parts.close())

/** Every record that there should be, once each. */
function expectOnce(names: readonly string[]): void {
  const paths = parts.rows().map(({ path }) => path)
  expect(paths.toSorted()).toEqual(names.map((name) => `/${name}`).toSorted())
}

describe('a writer that dies', () => {
  it('is replaced, and under load every record is there once', async () => {
    const { threads, writers, writer } = parts
    const names: string[] = []
    let asking = true
    const clients = Array.from({ length: 4 }, async (_, client) => {
      for (let i = 0; asking; i++) {
        const name = `${client}-${i}`
        names.push(name)
        await parts.ask(name)
      }
    })
    for (let death = 1; death <= 5; death++) {
      const made = names.length
      await until('more are asked for', () => names.length >= made + 50)
      await writers.at(-1)!.terminate()
      expect(writer.alarm).toBe('the writer of the traffic log died')
      await until('there is another', () => writers.length === death + 1)
      expect(writer.alarm).toBeNull()
    }
    asking = false
    await Promise.all(clients)
    await until('all are acknowledged', () => {
      return threads.counters.recordsAcknowledged === names.length
    })
    expectOnce(names)
    expect(threads.counters.recordsLost).toBe(0)
    expect(damage(parts.state)).toEqual([])
  })

  it('before it has written anything leaves its batches to the next', async () => {
    const { threads, writers } = parts
    await writers[0]!.terminate()
    const names = Array.from({ length: 20 }, (_, i) => `early-${i}`)
    await Promise.all(names.map((name) => parts.ask(name)))
    expect(parts.rows()).toEqual([])
    await until('all are acknowledged', () => threads.counters.recordsAcknowledged === 20)
    expectOnce(names)
  })

  it('just before a stop is waited for: what was decided is written', async () => {
    const { threads, writer, writers } = parts
    const names = Array.from({ length: 20 }, (_, i) => `late-${i}`)
    await Promise.all(names.map((name) => parts.ask(name)))
    await writers[0]!.terminate()
    await threads.drain(0)
    expect(writers).toHaveLength(2)
    await writer.stop()
    expectOnce(names)
  })

  it('with nothing left to write keeps no stop waiting', async () => {
    const { threads, writer, writers } = parts
    await threads.drain(0)
    await writers[0]!.terminate()
    await writer.stop()
    expect(writers).toHaveLength(1)
  })

  it('takes new settings to the next', async () => {
    const { threads, writer, writers } = parts
    await writers[0]!.terminate()
    const calendar = { timezone: 'Europe/Stockholm', startsMinute: 0 }
    writer.configure({ calendar, identities: 'pseudonym', retentionMs: 86_400_000 })
    await parts.ask('named')
    await until('it is acknowledged', () => threads.counters.recordsAcknowledged === 1)
    expect(parts.rows()).toHaveLength(1)
    expect(parts.users()).toEqual([expect.stringMatching(/^a-[a-z2-7]{16}$/)])
  })
})
