/**
 * Owns: what a wire promises its owner: order, ends, closing, errors, corks. Real connections on loopback.
 * Never: waits for a time to pass.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freeDropped } from '../../src/proxy/free.ts'
import { largeBuffersInUse } from '../../src/proxy/memory.ts'
import { NOBODY } from '../../src/proxy/wire.ts'
import { Reading } from './reading.ts'
import { type Pair, until, Wires, Witness } from './wires.ts'

/** More than the buffers of the system take: some of it stays with us. */
const LARGE = Buffer.alloc(20_000_000, 'x')

let wires: Wires
beforeEach(async () => {
  wires = await Wires.open()
})
afterEach(() => wires.close())

/** Each promise, of a wire that was accepted and of one that was dialled. */
function both(name: string, test: (pair: Pair, witness: Witness) => Promise<void>): void {
  for (const kind of ['accepted', 'dialled'] as const) {
    it(`${name} (${kind})`, async () => {
      const pair = kind === 'accepted' ? await wires.accept() : await wires.dial()
      await test(pair, new Witness(pair.wire))
      expect(largeBuffersInUse()).toBe(0)
    })
  }
}

/** What was sent on any connection before this has come, or is not read. */
async function elsewhere(): Promise<void> {
  const { wire, peer } = await wires.accept()
  const witness = new Witness(wire)
  wire.resume()
  peer.end('later')
  await until(() => witness.heard.includes('end'))
}

describe('a wire', () => {
  both('knows who is at the other end', async ({ wire, peer }) => {
    expect(wire.peer).toMatchObject({ address: '127.0.0.1', port: peer.localPort })
    wire.destroy()
    expect(wire.peer).toBeUndefined()
  })

  both('reads nothing before it is told to, and nothing while it pauses', async (pair, witness) => {
    const { wire, peer } = pair
    peer.write('one')
    await elsewhere()
    expect(witness.heard).toEqual([])
    wire.resume()
    await until(() => witness.text === 'one')
    wire.pause()
    peer.write('two')
    await elsewhere()
    expect(witness.text).toBe('one')
    wire.resume()
    await until(() => witness.text === 'onetwo')
  })

  both('hears the end once, and may still write', async ({ wire, peer }, witness) => {
    wire.resume()
    peer.end('last')
    await until(() => wire.ended)
    expect(witness.heard).toEqual(['bytes', 'end'])
    const reading = new Reading(peer)
    wire.writeText('answer')
    wire.end()
    await until(() => reading.ended && witness.closed)
    expect(String(reading.bytes)).toBe('answer')
    expect(witness.heard).toEqual(['bytes', 'end', 'close'])
    expect(wire.error).toBe(0)
  })

  both('ends first, and hears what the other side says after that', async (pair, witness) => {
    const { wire, peer } = pair
    const reading = new Reading(peer)
    wire.resume()
    wire.writeText('question')
    wire.end()
    await until(() => reading.ended)
    peer.end('answer')
    await until(() => witness.closed)
    expect([String(reading.bytes), witness.text]).toEqual(['question', 'answer'])
    expect(witness.heard).toEqual(['bytes', 'end', 'close'])
  })

  both('writes nothing after its end, or once it is closed', async ({ wire, peer }) => {
    const reading = new Reading(peer)
    wire.end()
    wire.write(Buffer.from('late'))
    wire.writeText('late')
    wire.end()
    expect(wire.writable).toBe(false)
    await until(() => reading.ended)
    wire.destroy()
    wire.write(Buffer.from('late'))
    wire.writeText('late')
    wire.cork()
    wire.writeText('late')
    wire.uncork()
    wire.end()
    wire.destroySoon()
    wire.reset()
    wire.resume()
    wire.pause()
    await until(() => reading.closed || reading.ended)
    expect(reading.length).toBe(0)
  })
})

describe('a write that the kernel does not take at once', () => {
  both('makes it full until all is taken', async ({ wire, peer }, witness) => {
    expect(wire.full).toBe(false)
    wire.write(LARGE)
    expect(wire.full).toBe(true)
    expect(wire.waitingBytes).toBeGreaterThan(0)
    wire.writeText('y'.repeat(100_000))
    const reading = new Reading(peer)
    await until(() => reading.length === LARGE.length + 100_000)
    await until(() => !wire.full)
    expect(witness.heard).toEqual(['drain'])
    expect(wire.waitingBytes).toBe(0)
    expect(reading.bytes.indexOf('y')).toBe(LARGE.length)
    expect(reading.bytes.indexOf('x', LARGE.length)).toBe(-1)
  })

  both('is kept from the collector until it is taken', async ({ wire, peer }) => {
    for (let i = 0; i < 8; i++) wire.write(Buffer.allocUnsafeSlow(4_000_000).fill(65 + i))
    await freeDropped()
    const others = Array.from({ length: 8 }, () => Buffer.alloc(4_000_000))
    const reading = new Reading(peer)
    await until(() => reading.length === 32_000_000)
    const { bytes } = reading
    for (let i = 0; i < 8; i++) {
      expect(
        bytes.subarray(i * 4_000_000, (i + 1) * 4_000_000).equals(others[i]!.fill(65 + i)),
      ).toBe(true)
    }
    await until(() => !wire.full)
  })

  both('is written before the end', async ({ wire, peer }, witness) => {
    wire.write(LARGE)
    wire.end()
    expect([wire.full, wire.writable]).toEqual([true, false])
    const reading = new Reading(peer)
    await until(() => reading.ended)
    expect(reading.length).toBe(LARGE.length)
    expect(witness.heard).toEqual(['drain'])
    wire.resume()
    peer.end()
    await until(() => witness.closed)
  })

  both(
    'is written, and then it closes, where the other has ended before',
    async (pair, witness) => {
      const { wire, peer } = pair
      wire.resume()
      peer.end()
      await until(() => wire.ended)
      wire.write(LARGE)
      wire.end()
      expect(wire.destroyed).toBe(false)
      const reading = new Reading(peer)
      await until(() => reading.ended)
      expect(reading.length).toBe(LARGE.length)
      await until(() => witness.closed)
      expect(witness.heard).toEqual(['end', 'close'])
    },
  )

  both('is written, and then it closes, where the other ends meanwhile', async (pair, witness) => {
    const { wire, peer } = pair
    wire.resume()
    wire.write(LARGE)
    wire.end()
    peer.end()
    await until(() => wire.ended)
    expect(wire.destroyed).toBe(false)
    const reading = new Reading(peer)
    await until(() => reading.ended && witness.closed)
    expect(reading.length).toBe(LARGE.length)
    expect([reading.fault, wire.error]).toEqual(['', 0])
  })

  both(
    'is written by destroySoon, which waits for nothing else',
    async ({ wire, peer }, witness) => {
      wire.write(LARGE)
      wire.destroySoon()
      wire.destroySoon()
      expect(wire.destroyed).toBe(false)
      const reading = new Reading(peer)
      await until(() => reading.ended)
      expect(reading.length).toBe(LARGE.length)
      await until(() => witness.closed)
      expect(witness.heard).toEqual(['close'])
    },
  )

  both('is given up by destroy, and owner and kernel are told once', async (pair, witness) => {
    const { wire, peer } = pair
    wire.write(LARGE)
    wire.write(LARGE)
    wire.destroy()
    wire.destroy()
    expect(witness.heard).toEqual([])
    const reading = new Reading(peer)
    await until(() => reading.closed || reading.ended)
    expect(reading.length).toBeLessThan(LARGE.length)
    expect(witness.heard).toEqual(['close'])
    expect([wire.full, wire.waitingBytes, wire.error]).toEqual([false, 0, 0])
  })

  both('is given up by a reset, which the other side sees', async ({ wire, peer }, witness) => {
    wire.write(LARGE)
    wire.reset()
    wire.reset()
    expect(witness.heard).toEqual([])
    const reading = new Reading(peer)
    await until(() => reading.closed)
    expect([reading.fault, reading.ended]).toEqual(['ECONNRESET', false])
    expect(witness.heard).toEqual(['close'])
  })

  both('fails when the other side resets, and nothing comes after', async (pair, witness) => {
    const { wire, peer } = pair
    wire.write(LARGE)
    wire.write(LARGE)
    peer.resetAndDestroy()
    await until(() => witness.closed)
    expect(witness.heard).toEqual(['close'])
    expect(wire.error).toBeLessThan(0)
    expect(wire.destroyed).toBe(true)
  })
})

describe('a wire that the other side has reset', () => {
  both('closes when it reads', async ({ wire, peer }, witness) => {
    wire.resume()
    peer.resetAndDestroy()
    await until(() => witness.closed)
    expect(witness.heard).toEqual(['close'])
    expect([wire.error < 0, wire.ended]).toEqual([true, false])
  })

  both('closes when it writes, in a later turn', async ({ wire, peer }, witness) => {
    peer.resetAndDestroy()
    await until(() => peer.closed)
    await until(() => {
      const before = witness.heard.length
      wire.writeText('x')
      expect(witness.heard.length).toBe(before)
      return wire.destroyed
    })
    await until(() => witness.closed)
    expect(witness.heard).toEqual(['close'])
  })

  both('closes when it is corked, ended, destroyed soon', async ({ wire, peer }, witness) => {
    peer.resetAndDestroy()
    await until(() => peer.closed)
    wire.cork()
    wire.writeText('x'.repeat(70_000))
    wire.write(LARGE)
    wire.write(Buffer.from('y'))
    wire.uncork()
    wire.end()
    wire.destroySoon()
    await until(() => witness.closed)
    expect(witness.heard).toEqual(['close'])
  })
})

describe('what is corked', () => {
  const small = 'head\r\n'
  const piece = Buffer.alloc(20_000, 'p')

  both('goes out in order, whatever its size', async ({ wire, peer }) => {
    const reading = new Reading(peer)
    wire.cork()
    wire.writeText(small)
    wire.write(Buffer.from('a'))
    wire.cork()
    wire.write(piece)
    wire.writeText('t'.repeat(60_000))
    wire.writeText('u'.repeat(60_000))
    wire.write(Buffer.from('b'))
    wire.uncork()
    wire.writeText('v'.repeat(70_000))
    wire.writeText('é')
    wire.uncork()
    const expected = `${small}a${piece}${'t'.repeat(60_000)}${'u'.repeat(60_000)}b${'v'.repeat(70_000)}é`
    await until(() => reading.length === expected.length)
    expect(reading.bytes.toString('latin1')).toBe(expected)
  })

  both('goes out only when it is uncorked', async ({ wire, peer }, witness) => {
    const reading = new Reading(peer)
    wire.cork()
    wire.writeText(small)
    wire.resume()
    peer.write('ask')
    await until(() => witness.text === 'ask')
    expect(reading.length).toBe(0)
    wire.uncork()
    await until(() => reading.length === small.length)
  })

  for (const way of ['end', 'destroySoon'] as const) {
    both(`goes out before ${way}`, async ({ wire, peer }) => {
      const reading = new Reading(peer)
      wire.cork()
      wire.writeText(small)
      wire[way]()
      wire.uncork()
      await until(() => reading.ended)
      expect(String(reading.bytes)).toBe(small)
    })
  }

  both('is thrown away by destroy', async ({ wire, peer }, witness) => {
    const reading = new Reading(peer)
    wire.cork()
    wire.writeText(small)
    wire.destroy()
    wire.uncork()
    await until(() => witness.closed && reading.ended)
    expect(reading.length).toBe(0)
  })
})

describe('an owner', () => {
  both(
    'may destroy in any call, and hears then of nothing but the close',
    async (pair, witness) => {
      const { wire, peer } = pair
      witness.meanwhile = () => {
        wire.destroy()
        expect(witness.closed).toBe(false)
      }
      wire.resume()
      peer.end('x')
      await until(() => witness.closed)
      expect(witness.heard).toEqual(['bytes', 'close'])
    },
  )

  both('is told nothing more once another has the wire', async ({ wire, peer }, witness) => {
    const next = new Witness(wire)
    wire.resume()
    peer.end('x')
    await until(() => wire.ended)
    wire.owner = NOBODY
    wire.destroy()
    wire.owner = next
    await until(() => next.closed)
    expect(witness.heard).toEqual([])
    expect(next.heard).toEqual(['bytes', 'end', 'close'])
  })

  both('that pauses and resumes while it is called loses nothing', async (pair, witness) => {
    const { wire, peer } = pair
    witness.meanwhile = () => {
      wire.pause()
      setImmediate(() => wire.resume())
    }
    wire.resume()
    peer.end(LARGE)
    await until(() => wire.ended)
    expect(witness.receivedBytes).toBe(LARGE.length)
    wire.destroy()
    await until(() => witness.closed)
  })
})
