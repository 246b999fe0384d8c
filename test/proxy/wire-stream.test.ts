import { finished } from 'node:stream/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WireStream } from '../../src/proxy/wire-stream.ts'
import { pattern } from '../e2e/stand/origin.ts'
import { Reading } from './reading.ts'
import { type Pair, until, Wires } from './wires.ts'

/** More than the buffers of the system hold of it. */
const LARGE = pattern(20_000_000)

let wires: Wires
let pair: Pair
let stream: WireStream
let faults: string[]
beforeEach(async () => {
  wires = await Wires.open()
  pair = await wires.accept()
  stream = new WireStream(pair.wire)
  faults = []
  stream.on('error', (error) => faults.push(error.message))
})
afterEach(() => wires.close())

describe('a wire as a stream', () => {
  it('gives what comes, in its order, and its end', async () => {
    const parts: Buffer[] = []
    stream.on('data', (part: Buffer) => parts.push(part))
    pair.peer.end(LARGE)
    await until(() => stream.readableEnded)
    expect(Buffer.concat(parts).equals(LARGE)).toBe(true)
    expect(stream.destroyed).toBe(false)
    stream.end('after it')
    await finished(stream)
    expect(faults).toEqual([])
  })

  it('reads no more than is wanted of it', async () => {
    pair.peer.write(LARGE)
    stream.read(0)
    await until(() => stream.readableLength >= stream.readableHighWaterMark)
    await until(() => pair.peer.writableLength > 0)
    expect(stream.readableLength).toBeLessThan(1_000_000)
    let length = 0
    stream.on('data', (part: Buffer) => {
      length += part.length
    })
    stream.resume()
    await until(() => length === LARGE.length)
  })

  it('takes no more than the other side does, and ends after all of it', async () => {
    const reading = new Reading(pair.peer)
    pair.peer.pause()
    let taken = 0
    for (let at = 0; at < LARGE.length; at += 1_000_000) {
      stream.write(LARGE.subarray(at, at + 1_000_000), () => taken++)
    }
    stream.end()
    await until(() => pair.wire.full)
    expect(taken).toBeLessThan(LARGE.length / 1_000_000)
    expect(stream.writableFinished).toBe(false)
    pair.peer.resume()
    await until(() => reading.ended)
    expect(reading.bytes.equals(LARGE)).toBe(true)
    expect([stream.writableFinished, stream.destroyed]).toEqual([true, false])
    pair.peer.end()
    stream.resume()
    await until(() => stream.closed)
    expect(faults).toEqual([])
  })

  it('is destroyed with an error by a reset, and a write that waits hears of it', async () => {
    let failed: Error | null | undefined
    pair.peer.pause()
    stream.write(LARGE, (error) => {
      failed = error
    })
    await until(() => pair.wire.full)
    pair.peer.resetAndDestroy()
    await until(() => stream.closed)
    expect(faults).toEqual(['ECONNRESET'])
    expect(failed?.message).toBe('ECONNRESET')
  })

  it('closes the wire where it is destroyed', async () => {
    const reading = new Reading(pair.peer)
    stream.destroy()
    await until(() => reading.ended || reading.closed)
    expect(pair.wire.destroyed).toBe(true)
    expect(faults).toEqual([])
  })
})
