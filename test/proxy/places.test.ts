import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatAddress, parseAddress } from '../../src/policy/index.ts'
import { distinct, type Family, interleaved, ledBy, placesOf } from '../../src/proxy/places.ts'

const A = ['192.0.2.1', '192.0.2.2', '192.0.2.3']
const B = ['2001:db8::1', '2001:db8::2']
const texts = (places: readonly { text: string }[]) => places.map(({ text }) => text)

describe('places', () => {
  it('are in canonical form, with their family', () => {
    expect(placesOf(['2001:DB8:0::1', '::ffff:192.0.2.1', '192.0.2.1', 'a.test'])).toEqual([
      { address: parseAddress('2001:db8::1'), text: '2001:db8::1', family: 6 },
      { address: parseAddress('192.0.2.1'), text: '192.0.2.1', family: 4 },
    ])
  })

  const check = (name: string, first: Family, given: string[], expected: string[]) =>
    it(name, () => expect(texts(interleaved(placesOf(given), first))).toEqual(expected))
  const [a1, a2, a3, b1, b2] = [...A, ...B] as [string, string, string, string, string]
  check('take turns, IPv6 first', 6, [a1, a2, a3, b1, b2], [b1, a1, b2, a2, a3])
  check('take turns, IPv4 first', 4, [a1, a2, a3, b1, b2], [a1, b1, a2, b2, a3])
  check('of one family stay as they are', 6, [a3, a1, a2], [a3, a1, a2])
  check('are none', 6, [], [])

  it('are led by one, and take turns after it', () => {
    const places = placesOf([b1, a1, b2, a2, a3])
    expect(texts(ledBy(places[3]!, places))).toEqual([a2, b1, a1, b2, a3])
    expect(texts(ledBy(places[2]!, places))).toEqual([b2, a1, b1, a2, a3])
    const four = placesOf(A)
    expect(texts(ledBy(four[1]!, four))).toEqual([a2, a1, a3])
  })

  it('are all there, whatever the order', () => {
    const address = fc.oneof(fc.ipV4(), fc.ipV6())
    fc.assert(
      fc.property(fc.array(address, { minLength: 1 }), fc.nat(), (given, at) => {
        const places = placesOf(given)
        const all = [...new Set(given.map((text) => formatAddress(parseAddress(text)!)))].sort()
        const leader = places[at % places.length]!
        expect(ledBy(leader, places)[0]).toBe(leader)
        for (const order of [
          ...[places, distinct([...places, ...places]), ledBy(leader, places)],
          ...[interleaved(places, 4), interleaved(places, 6)],
        ]) {
          expect(texts(order).sort()).toEqual(all)
        }
      }),
    )
  })
})
