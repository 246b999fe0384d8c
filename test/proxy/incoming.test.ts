/**
 * Owns: what a client has sent and nobody has used: any bytes in any pieces come out as they went in.
 * Never: knows what heads mean; head.test.ts does.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Incoming } from '../../src/proxy/incoming.ts'

const LIMITS = { headBytes: 4_096, headFields: 20, requestLineBytes: 1_024 }
const HEAD = 'GET http://a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n'

/** Memory that is read into again as soon as the reader returns. */
function lend(incoming: Incoming, bytes: Buffer): void {
  const memory = Buffer.from(bytes)
  incoming.add(memory)
  incoming.keep()
  memory.fill(0)
}

it('keeps any bytes, in any pieces, used in any portions', () => {
  const piece = fc.uint8Array({ minLength: 1, maxLength: 700 })
  fc.assert(
    fc.property(fc.array(fc.tuple(piece, fc.nat(900)), { maxLength: 20 }), (steps) => {
      const incoming = new Incoming()
      let expected = Buffer.alloc(0)
      for (const [bytes, used] of steps) {
        lend(incoming, Buffer.from(bytes))
        expected = Buffer.concat([expected, bytes])
        expect(incoming.bytes).toEqual(expected)
        incoming.use(used)
        expected = expected.subarray(Math.min(used, expected.length))
        expect(incoming.length).toBe(expected.length)
      }
      expect(incoming.take()).toEqual(expected)
      expect(incoming.length).toBe(0)
    }),
  )
})

it('what is taken is not overwritten by what comes next', () => {
  const incoming = new Incoming()
  incoming.add(Buffer.from('abc'))
  const taken = incoming.take()
  lend(incoming, Buffer.from('xyz'))
  expect(taken.toString()).toBe('abc')
})

describe('the next head', () => {
  it('is found however it is cut, with what follows it left', () => {
    const text = `\r\n${HEAD}${HEAD}rest`
    fc.assert(
      fc.property(fc.array(fc.nat(text.length)), (cuts) => {
        const incoming = new Incoming()
        const targets: string[] = []
        const at = [0, ...cuts.toSorted((a, b) => a - b), text.length]
        for (let i = 1; i < at.length; i++) {
          const part = text.slice(at[i - 1], at[i])
          if (part === '') continue
          lend(incoming, Buffer.from(part))
          for (;;) {
            const head = incoming.nextHead(LIMITS)
            if (head === null) break
            if ('fault' in head) throw new Error(head.fault)
            targets.push(head.target)
          }
        }
        expect(targets).toEqual(['/x', '/x'])
        expect(incoming.bytes.toString()).toBe('rest')
      }),
    )
  })

  it('is refused where too much of it has come', () => {
    const incoming = new Incoming()
    lend(incoming, Buffer.from(`GET http://a.test/ HTTP/1.1\r\n${'a:\r\n'.repeat(21)}`))
    expect(incoming.nextHead(LIMITS)).toMatchObject({ fault: 'head-too-large' })
  })
})
