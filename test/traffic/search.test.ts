import { mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  ACTIONS,
  HELLO_OUTCOMES,
  type HelloOutcome,
  type IdentityKind,
  RECORD_EVENTS,
  type TrafficRecord,
} from '../../src/policy/index.ts'
import type { Failure } from '../../src/traffic/failure.ts'
import { dayPath } from '../../src/traffic/folder.ts'
import { Pseudonyms, readKey } from '../../src/traffic/pseudonym.ts'
import { type SearchQuery, search } from '../../src/traffic/search.ts'
import {
  batch,
  DAY_MS,
  NOON_MS,
  record,
  SOURCE,
  STOCKHOLM,
  TODAY,
  temporaryFolder,
  writerIn,
} from './records.ts'

let state: string
let remove: () => void
let failures: Failure[]

beforeEach(() => {
  const folder = temporaryFolder()
  state = folder.path
  remove = folder.remove
  failures = []
})
afterEach(() => remove())

const folder = () => join(state, 'traffic')

function find(query: SearchQuery, pseudonyms: Pseudonyms | null = null) {
  const onFailure = (failure: Failure) => failures.push(failure)
  return [...search(folder(), query, { calendar: STOCKHOLM, pseudonyms, onFailure })]
}

function write(...records: TrafficRecord[]): void {
  const writer = writerIn(state)
  writer.write(SOURCE, batch(1, ...records))
  writer.close()
}

const flowsOf = (query: SearchQuery) => find(query).map(({ flow }) => flow)

describe('filters', () => {
  const hello = (outcome: HelloOutcome, serverName: string) => ({ hello: outcome, serverName })
  const own = hello('matched', 'www.facebook.com')
  const other = hello('mismatch', 'm.facebook.com')
  const records = [
    record({ flow: 1, user: 'anna', host: 'facebook.com', categories: 'social', verdict: 'spent' }),
    record({ flow: 2, user: 'bo', host: 'www.facebook.com', categories: 'news,social', ...own }),
    record({
      flow: 3,
      host: 'notfacebook.com',
      categories: 'socialism',
      zone: 'schools',
      ...other,
    }),
    record({ flow: 4, host: 'facebook.com.evil.example', reason: 'exempt', address: '10.9.9.9' }),
    record({ flow: 5, host: '2001:db8::1', timeMs: NOON_MS + 1, ...hello('none', '') }),
    record({ flow: 6, host: 'xfacebook.com', timeMs: NOON_MS - DAY_MS }),
  ]
  beforeEach(() => write(...records))

  const check = (name: string, query: SearchQuery, expected: number[]) =>
    test(name, () => expect(flowsOf(query)).toEqual(expected))

  check('none: everything, newest first, and last written first', {}, [5, 4, 3, 2, 1, 6])
  check('a host and its subdomains, and no look-alike', { host: 'facebook.com' }, [2, 1])
  check('a subdomain alone', { host: 'www.facebook.com' }, [2])
  check('an address as host', { host: '2001:db8::1' }, [5])
  check('a category, not part of its name', { category: 'social' }, [2, 1])
  check('a category that stands first', { category: 'news' }, [2])
  check('a user in any case', { user: ' Anna ' }, [1])
  check('an address', { address: '10.9.9.9' }, [4])
  check('an address in another spelling', { address: '::ffff:10.9.9.9' }, [4])
  check('a zone', { zone: 'schools' }, [3])
  check('a verdict', { verdict: 'spent' }, [1])
  check('a reason', { reason: 'exempt' }, [4])
  check('a hello', { hello: 'mismatch' }, [3])
  check('a server name, the host or not', { serverName: 'facebook.com' }, [3, 2])
  check('a server name that is the host', { serverName: 'www.facebook.com' }, [2])
  check('a server name that is not', { serverName: 'm.facebook.com' }, [3])
  check('a server name, of one kind', { serverName: 'facebook.com', hello: 'matched' }, [2])
  check('no look-alike of a server name', { serverName: 'book.com' }, [])
  check('from: included', { fromMs: NOON_MS + 1 }, [5])
  check('to: not included', { toMs: NOON_MS }, [6])
  check('a span', { fromMs: NOON_MS, toMs: NOON_MS + 1 }, [4, 3, 2, 1])
  check('all at once', { host: 'facebook.com', verdict: 'spent', user: 'anna' }, [1])
  check('nothing', { host: 'facebook.com', verdict: 'block' }, [])
  check('a limit', { limit: 2 }, [5, 4])
  check('a limit over days', { limit: 6 }, [5, 4, 3, 2, 1, 6])
  check('times before all records', { fromMs: -1e15, toMs: 0 }, [])
  check('a pattern is not a pattern', { host: '%', category: '%', user: '%' }, [])
})

describe('one row a flow', () => {
  const opened = record({ flow: 7, event: 'opened', ending: 'open', bytesDown: 1 })
  const closed = record({
    flow: 7,
    event: 'closed',
    ending: 'spent',
    bytesDown: 9,
    verdict: 'spent',
  })

  test('closed wins, wherever it stands', () => {
    write(opened, record({ flow: 8 }), closed)
    expect(find({}).map(({ flow, event, ending }) => [flow, event, ending])).toEqual([
      [7, 'closed', 'spent'],
      [8, 'whole', 'complete'],
    ])
  })

  test('only opened: its ending is open', () => {
    write({ ...opened, ending: 'complete' })
    expect(find({})).toMatchObject([{ flow: 7, event: 'opened', ending: 'open', bytes_down: 1 }])
  })

  test('filters look at the row that is shown', () => {
    write(opened, closed)
    expect(flowsOf({ verdict: 'allow' })).toEqual([])
    expect(flowsOf({ verdict: 'spent' })).toEqual([7])
  })

  test('the same number in another thread is another flow', () => {
    const writer = writerIn(state)
    writer.write(SOURCE, batch(1, opened))
    writer.write({ ...SOURCE, thread: 1 }, batch(1, closed))
    writer.close()
    expect(
      find({})
        .map(({ event }) => event)
        .sort(),
    ).toEqual(['closed', 'opened'])
  })
})

describe('people under a pseudonym', () => {
  test('are found by name and by address with the key, and by the pseudonym without', () => {
    const writer = writerIn(state, { identities: 'pseudonym' })
    const zone = { user: 'schools', identity: 'network', zone: 'schools' } as const
    writer.write(
      SOURCE,
      batch(
        1,
        record({ flow: 1, user: 'anna' }),
        record({ flow: 2, user: '10.7.7.7', identity: 'address', address: '10.7.7.7' }),
        record({ flow: 3, ...zone }),
      ),
    )
    writer.close()
    const pseudonyms = new Pseudonyms(readKey(join(state, 'keys', 'pseudonym.key'))!)
    const flows = (query: SearchQuery) => find(query, pseudonyms).map(({ flow }) => flow)
    expect(flows({ user: 'Anna' })).toEqual([1])
    expect(flows({ user: '10.7.7.7' })).toEqual([2])
    expect(flows({ address: '10.7.7.7' })).toEqual([2])
    expect(flows({ user: 'schools' })).toEqual([3])
    expect(flowsOf({ user: 'anna' })).toEqual([])
    expect(flowsOf({ user: pseudonyms.user('anna') })).toEqual([1])
    expect(flowsOf({ address: pseudonyms.address('10.7.7.7') })).toEqual([2])
  })
})

test('what it gives equals a plain filter over the records', () => {
  const from = <T>(...values: T[]) => fc.constantFrom(...values)
  const any = fc.record({
    event: from(...RECORD_EVENTS),
    flow: fc.integer({ min: 1, max: 4 }),
    timeMs: fc.integer({ min: -2, max: 2 }).map((i) => NOON_MS + i * (DAY_MS / 2 - 1)),
    zone: from('office', 'schools'),
    user: from('anna', 'bo', ''),
    identity: from<IdentityKind | ''>('user', ''),
    address: from('10.0.0.1', '10.0.0.2'),
    host: from('a.se', 'b.a.se', 'ba.se', ''),
    categories: from('', 'x', 'x,y', 'xy'),
    verdict: from(...ACTIONS),
    reason: from('default', 'exempt'),
    hello: from(...HELLO_OUTCOMES),
    serverName: from('a.se', 'b.a.se', ''),
  })
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 3 })
  const question = fc.record({
    user: maybe(from('anna', 'bo')),
    address: maybe(from('10.0.0.1')),
    host: maybe(from('a.se', 'b.a.se', 'se')),
    zone: maybe(from('office')),
    category: maybe(from('x', 'y')),
    verdict: maybe(from(...ACTIONS)),
    reason: maybe(from('exempt')),
    hello: maybe(from<HelloOutcome>('matched', 'mismatch')),
    serverName: maybe(from('a.se', 'se')),
    fromMs: maybe(from(NOON_MS - DAY_MS, NOON_MS)),
    toMs: maybe(from(NOON_MS, NOON_MS + 1)),
    limit: maybe(fc.integer({ min: 1, max: 5 })),
  })
  let number = 0
  fc.assert(
    fc.property(fc.array(any, { maxLength: 25 }), question, (overs, sparse) => {
      remove()
      mkdirSync(state)
      // A flow has one time and, in life, two rows at most; here it may have any.
      const records = overs.map((over) =>
        record({ ...over, timeMs: over.timeMs, status: number++ }),
      )
      write(...records)
      const query = JSON.parse(JSON.stringify(sparse)) as SearchQuery
      const found = find(query).map(({ status }) => status)
      expect(found).toEqual(plainly(records, query).map(({ status }) => status))
      expect(failures).toEqual([])
    }),
    { numRuns: 80 },
  )
})

/** A matched hello without a name of its own had the host's. */
const shownName = ({ hello, serverName, host }: TrafficRecord) =>
  hello === 'matched' && serverName === '' ? host : serverName

/** The question, answered by looking at every record. */
function plainly(records: TrafficRecord[], query: SearchQuery): TrafficRecord[] {
  const dayOf = (each: TrafficRecord) => Math.floor((each.timeMs + 3_600_000) / DAY_MS)
  const isClosed = (each: TrafficRecord) =>
    records.some((o) => o.event === 'closed' && o.flow === each.flow && dayOf(o) === dayOf(each))
  const holds = (each: TrafficRecord) =>
    (query.user === undefined || each.user === query.user) &&
    (query.address === undefined || each.address === query.address) &&
    (query.host === undefined || `.${each.host}`.endsWith(`.${query.host}`)) &&
    (query.zone === undefined || each.zone === query.zone) &&
    (query.category === undefined || each.categories.split(',').includes(query.category)) &&
    (query.verdict === undefined || each.verdict === query.verdict) &&
    (query.reason === undefined || each.reason === query.reason) &&
    (query.hello === undefined || each.hello === query.hello) &&
    (query.serverName === undefined || `.${shownName(each)}`.endsWith(`.${query.serverName}`)) &&
    (query.fromMs === undefined || each.timeMs >= query.fromMs) &&
    (query.toMs === undefined || each.timeMs < query.toMs)
  return records
    .filter((each) => each.event !== 'opened' || !isClosed(each))
    .filter(holds)
    .sort((a, b) => b.timeMs - a.timeMs || b.status - a.status)
    .slice(0, query.limit)
}

describe('files as they are met', () => {
  test('reads while the writer writes, also in the middle of its transaction', () => {
    const writer = writerIn(state)
    writer.write(SOURCE, batch(1, record({ flow: 1 })))
    expect(flowsOf({})).toEqual([1])
    const other = new Database(dayPath(folder(), TODAY))
    other.exec('BEGIN IMMEDIATE; DELETE FROM records')
    expect(flowsOf({})).toEqual([1])
    other.close()
    writer.write(SOURCE, batch(2, record({ flow: 2 })))
    expect(flowsOf({})).toEqual([2, 1])
    writer.close()
  })

  test('a reader that takes its time keeps no transaction open', () => {
    const writer = writerIn(state)
    writer.write(SOURCE, batch(1, record({ flow: 1 }), record({ flow: 2 })))
    const options = { calendar: STOCKHOLM, pseudonyms: null, onFailure: () => {} }
    const rows = search(folder(), {}, options)
    expect(rows.next().value).toMatchObject({ flow: 2 })
    const other = new Database(dayPath(folder(), TODAY))
    expect(other.pragma('wal_checkpoint(TRUNCATE)')).toMatchObject([{ busy: 0 }])
    other.close()
    expect(rows.next().value).toMatchObject({ flow: 1 })
    rows.return(undefined)
    writer.close()
  })

  test('no folder: no rows, no failure', () => {
    expect(find({})).toEqual([])
    expect(failures).toEqual([])
  })

  test('a file that the writer has just made is an empty day', () => {
    write(record({ flow: 1 }))
    openSync(join(folder(), '2026-11-22.sqlite'), 'a')
    expect(flowsOf({})).toEqual([1])
    expect(failures).toEqual([])
  })

  test('a day that cannot be read is told, and the others are still searched', () => {
    write(record({ flow: 1 }), record({ flow: 2, timeMs: NOON_MS - 2 * DAY_MS }))
    writeFileSync(join(folder(), '2026-11-20.sqlite'), 'damaged '.repeat(1_000))
    mkdirSync(join(folder(), '2026-11-22.sqlite'))
    const newer = new Database(join(folder(), '2026-11-18.sqlite'))
    newer.pragma('user_version = 99')
    newer.close()
    expect(flowsOf({})).toEqual([1, 2])
    expect(failures.map(({ what }) => what.slice(0, 17))).toEqual([
      '2026-11-22.sqlite',
      '2026-11-20.sqlite',
      '2026-11-18.sqlite',
    ])
    expect(failures[2]!.what).toContain('has schema 99')
  })

  test('days that the span does not touch are not opened', () => {
    write(record({ flow: 1 }))
    writeFileSync(join(folder(), '2026-11-01.sqlite'), 'damaged '.repeat(1_000))
    expect(flowsOf({ fromMs: NOON_MS - 5 * DAY_MS })).toEqual([1])
    expect(failures).toEqual([])
  })

  test('rows are found though days were cut otherwise when they were written', () => {
    const writer = writerIn(state, { calendar: { ...STOCKHOLM, startsMinute: 23 * 60 } })
    writer.write(SOURCE, batch(1, record({ flow: 1 })))
    writer.close()
    expect(flowsOf({ fromMs: NOON_MS, toMs: NOON_MS + 1 })).toEqual([1])
  })
})
