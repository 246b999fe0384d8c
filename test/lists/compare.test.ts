/** What a change of lists comes to, against a plain walk over the same lists. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareHosts, compareNames } from '../../src/lists/compare.ts'
import { compareNetworks } from '../../src/lists/compare-networks.ts'
import { isGain } from '../../src/lists/gain.ts'
import { openedImage } from '../../src/lists/image-report.ts'
import { contains, parseAddress } from '../../src/policy/address.ts'
import { host, lists, namesIn, networksOf, plainChange } from './changes.ts'
import { imageOf, listOf, networkOf, type TestList } from './images.ts'

const ALL = { kept: Number.POSITIVE_INFINITY }
const pairOf = (before: readonly TestList[], after: readonly TestList[]) => ({
  before: imageOf(...before).buffer,
  after: imageOf(...after).buffer,
})

/** At the edges of the networks, and just beside. */
const ADDRESSES = [
  ...['9.255.255.255', '10.0.0.0', '10.0.255.255', '10.1.0.0', '10.1.1.255', '10.1.2.0'],
  ...['10.1.2.3', '10.1.2.255', '10.1.3.0', '10.2.0.0', '10.127.255.255', '10.128.0.0'],
  ...['10.255.255.255', '11.0.0.0', '192.0.2.0', '192.0.2.1', '192.0.3.0', '::'],
  ...['2001:db8::', '2001:db8::7', '2001:db8::8', '2001:db8:1::', '2001:db9::'],
]

describe('against a plain walk', () => {
  test('exactly the names that stand in either image and change, each with what it gains and loses', () => {
    fc.assert(
      fc.property(lists, lists, (before, after) => {
        const { caught, freed, first } = compareNames(pairOf(before, after), ALL)
        const change = plainChange(before, after)
        const expected = [...new Set([...namesIn(before), ...namesIn(after)])]
          .flatMap((name) => {
            const plain = change(name)
            return plain === null ? [] : [[name, plain] as const]
          })
          .toSorted(([a], [b]) => a.localeCompare(b))
        const found = first
          .filter((one) => !one.host.includes('/'))
          .map(({ host, caught, freed }) => [host, { caught, freed }] as const)
          .toSorted(([a], [b]) => a.localeCompare(b))
        expect(found).toEqual(expected)
        expect(caught).toBe(first.filter((one) => isGain(one.caught)).length)
        expect(freed).toBe(first.filter((one) => isGain(one.freed)).length)
      }),
      { numRuns: 200 },
    )
  })

  test('exactly the networks of which an address changes', () => {
    fc.assert(
      fc.property(lists, lists, (before, after) => {
        const { before: was, after: is } = pairOf(before, after)
        const changes = compareNetworks(openedImage(was), openedImage(is))
        const change = plainChange(networksOf(before), networksOf(after))
        const around = (address: string) =>
          changes
            .filter(({ network }) => contains(networkOf(network), parseAddress(address)!))
            .map(({ caught, freed }) => ({ caught, freed }))
        for (const address of ADDRESSES) {
          const plain = change(address)
          if (plain !== null) expect(around(address), address).toContainEqual(plain)
        }
        for (const { address, network, caught, freed } of changes) {
          expect({ network, plain: change(address) }).toEqual({ network, plain: { caught, freed } })
        }
      }),
      { numRuns: 100 },
    )
  })

  test('of given hosts those that change, in the order given', () => {
    fc.assert(
      fc.property(lists, lists, fc.array(host, { maxLength: 30 }), (before, after, hosts) => {
        const change = plainChange(before, after)
        const asked = [...new Set(hosts)]
        const found = compareHosts(pairOf(before, after), asked)
        expect(found.map((one) => one.host)).toEqual(asked.filter((name) => change(name) !== null))
      }),
      { numRuns: 100 },
    )
  })
})

describe('names', () => {
  const domains = Array.from({ length: 50 }, (_, i) => `host-${i}.se`)
  const pair = pairOf([listOf(...domains)], [listOf('new.se', 'newer.se')])

  test('no more are told than asked for, and all are counted', () => {
    const { caught, freed, first } = compareNames(pair, { kept: 3 })
    expect([caught, freed, first.length]).toEqual([2, 50, 5])
  })

  test('of lists that are the same none change', () => {
    const same = pairOf([listOf('a.se')], [listOf('a.se')])
    expect(compareNames(same, ALL)).toEqual({ caught: 0, freed: 0, first: [] })
  })

  test('one that a parent lists all the same does not change', () => {
    const covered = pairOf([listOf('a.se', 'www.a.se')], [listOf('a.se')])
    expect(compareNames(covered, ALL).first).toEqual([])
  })

  test('one that is never blocked says so', () => {
    const kept: TestList = { name: 'kept', target: { kind: 'neverBlock' }, domains: ['1177.se'] }
    const { first } = compareNames(pairOf([kept], [kept, listOf('1177.se', 'a.se')]), ALL)
    expect(first.map(({ host, neverBlock }) => [host, neverBlock]).toSorted()).toEqual([
      ['1177.se', true],
      ['a.se', false],
    ])
  })

  test('progress goes from nothing to all', () => {
    const told: number[][] = []
    compareNames(pair, { kept: 0, onProgress: (...far) => told.push(far) })
    const [, total] = told.at(-1)!
    expect(told[0]![0]).toBe(0)
    expect(told.at(-1)).toEqual([total, total])
  })
})
