import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Host } from '../../src/policy/index.ts'
import { RESOLUTION_DELAY_MS } from '../../src/proxy/asking.ts'
import {
  ASKING_MAX,
  FAILED_MS,
  LEARNT_MS,
  NAMES_MAX,
  Names,
  PARTIAL_MS,
  PATIENCE_MS,
  STALE_HELD_MS,
  STALE_MS,
} from '../../src/proxy/names.ts'
import { type Answer, type Family, placesOf } from '../../src/proxy/places.ts'
import type { Told } from '../../src/proxy/resolver.ts'
import type { DnsRules } from '../../src/proxy/world.ts'
import { MovedTimers } from './moved-timers.ts'

const RULES: DnsRules = {
  ...{ servers: [], shortestMs: 1_000, longestMs: 3_600_000, negativeMs: 10_000 },
}
const SITE = 'www.site.test' as Host

/** A question that has reached the servers. */
interface Asked {
  readonly name: string
  readonly family: Family
  readonly told: Told
}

let folder: string
let timers: MovedTimers
let asked: Asked[]
let alarms: string[]
let names: Names

const files = () => ({ hosts: join(folder, 'hosts'), resolv: join(folder, 'resolv.conf') })

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluss-names-'))
  timers = new MovedTimers()
  asked = []
  alarms = []
  names = open()
})
afterEach(() => rmSync(folder, { recursive: true }))

function open(hosts: Readonly<Record<string, readonly string[]>> = {}): Names {
  return new Names({
    ...{ rules: RULES, hosts, files: files(), timers, now: () => timers.nowMs },
    alarm: (what) => alarms.push(what),
    ask: (name, family, told) => asked.push({ name, family, told }),
  })
}

const lookup = (host: string = SITE) => names.lookup(host as Host, timers.nowMs)
const texts = (answer: Answer | null) => answer?.places.map(({ text }) => text) ?? null

/** Asks, and gives the list that the answer will be in. */
function ask(host: string = SITE): Answer[] {
  const answers: Answer[] = []
  names.ask(host as Host, (answer) => answers.push(answer))
  return answers
}

/** The servers answer the oldest question for `name` of this family: addresses, or a code. */
function say(family: Family, what: readonly string[] | string, ttl = 300, name: string = SITE) {
  const at = asked.findIndex((one) => one.family === family && one.name === name)
  const [one] = asked.splice(at, 1)
  if (typeof what === 'string') one!.told(what, [])
  else {
    one!.told(
      '',
      what.map((address) => ({ address, ttl })),
    )
  }
}

/** Asks, and both families answer. */
function learn(four: readonly string[] | string, six: readonly string[] | string, ttl = 300) {
  const answers = ask()
  say(4, four, ttl)
  say(6, six, ttl)
  return answers[0]!
}

const FOUR = ['192.0.2.1', '192.0.2.2']
const SIX = ['2001:db8::1']
const NONE = 'ENODATA'

describe('a name', () => {
  it('is asked for once, of both families, and then known at once', () => {
    expect(lookup()).toBe(null)
    const waiting = [ask(), ask(), ask()]
    expect(asked.map(({ family }) => family)).toEqual([4, 6])
    say(4, FOUR)
    expect(waiting).toEqual([[], [], []])
    say(6, SIX)
    expect(waiting.map(([answer]) => texts(answer!))).toEqual(
      Array(3).fill(['2001:db8::1', '192.0.2.1', '192.0.2.2']),
    )
    expect(lookup()).toBe(waiting[0]![0])
    expect(names.counters).toEqual({ hits: 1, questions: 2, failures: 0, stale: 0 })
    expect(timers.left).toBe(0)
  })

  it('is what IPv4 says where IPv6 takes long, until it has come', () => {
    const answers = ask()
    say(4, FOUR)
    timers.move(RESOLUTION_DELAY_MS - 1)
    expect(answers).toEqual([])
    timers.move(1)
    expect(answers.map(texts)).toEqual([FOUR])
    expect(texts(lookup())).toEqual(FOUR)
    say(6, SIX)
    expect(answers.length).toBe(1)
    expect(texts(lookup())).toEqual(['2001:db8::1', ...FOUR])
  })

  it('waits for IPv4 where IPv6 comes first', () => {
    const answers = ask()
    say(6, SIX)
    timers.move(RESOLUTION_DELAY_MS)
    expect(answers).toEqual([])
    say(4, NONE)
    expect(answers.map(texts)).toEqual([SIX])
  })

  it('has each address once, and a mapped one as IPv4', () => {
    expect(texts(learn(['192.0.2.1', '192.0.2.1'], ['::ffff:192.0.2.1', ...SIX]))).toEqual([
      '2001:db8::1',
      '192.0.2.1',
    ])
  })

  it('has no more than eight addresses of a family', () => {
    const many = Array.from({ length: 100 }, (_, i) => `192.0.2.${i}`)
    expect(texts(learn(many, NONE))).toEqual(many.slice(0, 8))
  })
})

describe('an answer', () => {
  const check = (name: string, ttl: number, keptMs: number) =>
    it(name, () => {
      learn(FOUR, NONE, ttl)
      timers.move(keptMs - 1)
      expect(texts(lookup())).toEqual(FOUR)
      timers.move(1)
      expect(lookup()).toBe(null)
    })
  check('is kept for its time to live', 300, 300_000)
  check('is kept for a second at least', 0, RULES.shortestMs)
  check('is kept for an hour at most', 86_400, RULES.longestMs)
  check('is kept for an hour at most, however large the number is', 2 ** 31, RULES.longestMs)

  it('is kept for the shorter of both families', () => {
    ask()
    say(4, FOUR, 300)
    say(6, SIX, 20)
    timers.move(20_000)
    expect(lookup()).toBe(null)
  })

  it('is not kept for long where one family failed', () => {
    learn(FOUR, 'ESERVFAIL', 3_000)
    timers.move(PARTIAL_MS - 1)
    expect(texts(lookup())).toEqual(FOUR)
    timers.move(1)
    expect(lookup()).toBe(null)
  })

  it('is asked for ahead by a hit in its last tenth, and no one waits', () => {
    learn(FOUR, NONE)
    timers.move(269_999)
    lookup()
    expect(asked).toEqual([])
    timers.move(1)
    expect(texts(lookup())).toEqual(FOUR)
    lookup()
    expect(asked.length).toBe(2)
    say(4, ['192.0.2.9'])
    say(6, NONE)
    expect(texts(lookup())).toEqual(['192.0.2.9'])
    timers.move(200_000)
    expect(texts(lookup())).toEqual(['192.0.2.9'])
  })

  it('of a name that nobody wants is not asked for again', () => {
    learn(FOUR, NONE)
    timers.move(86_400_000)
    expect(asked).toEqual([])
  })
})

describe('a name that is not there', () => {
  it('is remembered for a while', () => {
    expect(learn('ENOTFOUND', 'ENOTFOUND')).toEqual({
      ...{ outcome: 'missing', places: [], why: 'ENOTFOUND' },
    })
    timers.move(RULES.negativeMs - 1)
    expect(lookup()?.outcome).toBe('missing')
    timers.move(1)
    expect(lookup()).toBe(null)
    expect(asked).toEqual([])
  })

  it('takes the place of what it was: that is no failure', () => {
    learn(FOUR, NONE)
    timers.move(300_000)
    expect(learn('ENOTFOUND', 'ENOTFOUND').outcome).toBe('missing')
  })
})

describe('a failure', () => {
  it('is remembered for a second', () => {
    expect(learn('ESERVFAIL', 'ETIMEOUT')).toEqual({
      ...{ outcome: 'failed', places: [], why: 'ESERVFAIL' },
    })
    timers.move(FAILED_MS - 1)
    expect(lookup()?.outcome).toBe('failed')
    timers.move(1)
    expect(lookup()).toBe(null)
    expect(names.counters.failures).toBe(1)
  })

  it('of one family is one, where the other has no address', () => {
    expect(learn(NONE, 'EREFUSED')).toMatchObject({ outcome: 'failed', why: 'EREFUSED' })
  })

  it('leaves the stale answer in use, and is tried again', () => {
    learn(FOUR, NONE)
    timers.move(300_000)
    expect(texts(learn('ETIMEOUT', 'ETIMEOUT'))).toEqual(FOUR)
    timers.move(STALE_HELD_MS - 1)
    expect(texts(lookup())).toEqual(FOUR)
    timers.move(1)
    expect(lookup()).toBe(null)
    expect(texts(learn(['192.0.2.9'], NONE))).toEqual(['192.0.2.9'])
    expect(names.counters).toMatchObject({ failures: 1, stale: 1 })
  })

  it('leaves it in use for a day', () => {
    learn(FOUR, NONE)
    timers.move(300_000 + STALE_MS - 1)
    expect(learn('ETIMEOUT', 'ETIMEOUT').outcome).toBe('found')
    timers.move(STALE_HELD_MS)
    expect(learn('ETIMEOUT', 'ETIMEOUT').outcome).toBe('failed')
  })

  it('is not waited for where there is a stale answer', () => {
    learn(FOUR, NONE)
    timers.move(300_000)
    const answers = ask()
    timers.move(PATIENCE_MS - 1)
    expect(answers).toEqual([])
    timers.move(1)
    expect(answers.map(texts)).toEqual([FOUR])
    expect(texts(lookup())).toEqual(FOUR)
    say(4, ['192.0.2.9'])
    say(6, NONE)
    expect(answers.length).toBe(1)
    expect(texts(lookup())).toEqual(['192.0.2.9'])
    expect(timers.left).toBe(0)
  })
})

describe('what answered', () => {
  const place = (text: string) => lookup()!.places.find((one) => one.text === text)!

  it('stands first from then on, also when it is asked for again', () => {
    learn(FOUR, SIX)
    names.worked(SITE, lookup()!, place('192.0.2.2'))
    expect(texts(lookup())).toEqual(['192.0.2.2', '2001:db8::1', '192.0.2.1'])
    timers.move(300_000)
    expect(texts(learn(FOUR, SIX, 200))).toEqual(['192.0.2.2', '2001:db8::1', '192.0.2.1'])
    timers.move(200_000)
    expect(texts(learn(['192.0.2.7'], SIX))).toEqual(['192.0.2.7', '2001:db8::1'])
  })

  it('is forgotten in time', () => {
    learn(FOUR, SIX)
    names.worked(SITE, lookup()!, place('192.0.2.1'))
    timers.move(LEARNT_MS)
    expect(texts(learn(FOUR, SIX))![0]).toBe('2001:db8::1')
  })

  it('tells of new names too, where IPv6 fails one after the other', () => {
    const first = () => {
      const answer = learn(FOUR, SIX)
      names.worked(SITE, answer, answer.places.find(({ family }) => family === 4)!)
      names.configure({ ...RULES, longestMs: 3_600_000 + ++changes }, {})
      return answer.places[0]!.family
    }
    let changes = 0
    expect([first(), first(), first(), first()]).toEqual([6, 6, 6, 4])
    timers.move(LEARNT_MS)
    expect(first()).toBe(6)
  })

  it('as IPv6 says that IPv6 is well', () => {
    const answer = learn(FOUR, SIX)
    const [six, four] = answer.places
    for (const one of [four!, four!, six!, four!, four!]) names.worked(SITE, answer, one)
    names.configure({ ...RULES, longestMs: 1_800_000 }, {})
    expect(texts(learn(FOUR, SIX))![0]).toBe('2001:db8::1')
  })

  it('of a name that was forgotten is nothing', () => {
    const answer = learn(FOUR, SIX)
    names.configure({ ...RULES, longestMs: 1_800_000 }, {})
    names.worked(SITE, answer, answer.places[1]!)
    expect(lookup()).toBe(null)
  })
})

describe('no server is asked', () => {
  const check = (host: string, expected: readonly string[] | null) =>
    it(`for ${host}`, () => {
      expect(texts(lookup(host))).toEqual(expected)
      expect(asked).toEqual([])
    })
  check('192.0.2.1', ['192.0.2.1'])
  check('2001:db8::a', ['2001:db8::a'])
  check('localhost', ['127.0.0.1', '::1'])
  check('a.localhost', ['127.0.0.1', '::1'])
  check('nowhere.invalid', [])
  check('abcdefghij.onion', [])
  // These are asked for, as any other.
  check('printer.local', null)
  check('host.a1', null)
  check('notlocalhost', null)
  check('site.test', null)
})

describe('fixed names', () => {
  it('come from the settings first, then from /etc/hosts', () => {
    writeFileSync(files().hosts, '192.0.2.7 a.test b.test B.TEST. # c.test\n192.0.2.8\tb.test\n')
    names = open({ 'a.test': ['192.0.2.1', '2001:db8::1'] })
    expect(texts(lookup('a.test'))).toEqual(['192.0.2.1', '2001:db8::1'])
    expect(texts(lookup('b.test'))).toEqual(['192.0.2.7', '192.0.2.8'])
    expect(lookup('c.test')).toBe(null)
  })

  it('are those of the new settings', () => {
    names = open({ 'a.test': ['192.0.2.1'], 'b.test': ['192.0.2.1'] })
    names.configure(RULES, { 'a.test': ['192.0.2.2'] })
    expect([texts(lookup('a.test')), lookup('b.test')]).toEqual([['192.0.2.2'], null])
  })

  it('of /etc/hosts change with the file, a moment later', () => {
    expect(lookup('a.test')).toBe(null)
    writeFileSync(files().hosts, '192.0.2.7 a.test\n')
    timers.move(1_999)
    expect(lookup('a.test')).toBe(null)
    timers.move(1)
    expect(texts(lookup('a.test'))).toEqual(['192.0.2.7'])
    rmSync(files().hosts)
    timers.move(2_000)
    expect(lookup('a.test')).toBe(null)
    expect(alarms).toEqual([])
  })
})

describe('a name without a dot', () => {
  const askBare = () => ask('web')
  const both = (name: string, what: readonly string[] | string) => {
    say(4, what, 300, name)
    say(6, typeof what === 'string' ? what : NONE, 300, name)
  }
  beforeEach(() => {
    writeFileSync(files().resolv, 'nameserver 192.0.2.53\nsearch kommun.test. intern.test\n')
    names = open()
  })

  it('is tried in the search domains, and then by itself', () => {
    const answers = askBare()
    both('web.kommun.test', 'ENOTFOUND')
    both('web.intern.test', NONE)
    both('web', FOUR)
    expect([answers.map(texts), asked]).toEqual([[FOUR], []])
    expect(texts(lookup('web'))).toEqual(FOUR)
  })

  it('is the first that is there', () => {
    const answers = askBare()
    both('web.kommun.test', FOUR)
    expect([answers.map(texts), asked]).toEqual([[FOUR], []])
  })

  it('is not known to be missing where a server failed', () => {
    const answers = askBare()
    both('web.kommun.test', 'ESERVFAIL')
    both('web.intern.test', 'ENOTFOUND')
    both('web', 'ENOTFOUND')
    expect(answers).toMatchObject([{ outcome: 'failed', why: 'ESERVFAIL' }])
  })

  it('has no search domain where that makes it too long', () => {
    const label = 'a'.repeat(60)
    writeFileSync(files().resolv, `search ${[label, label, label, label].join('.')}\n`)
    names = open()
    ask('b'.repeat(10))
    expect(asked[0]!.name).toBe('b'.repeat(10))
  })

  it('and with one is never searched for', () => {
    ask('web.other')
    expect(asked.map(({ name }) => name)).toEqual(['web.other', 'web.other'])
  })
})

describe('new settings', () => {
  it('that say the same leave what is known', () => {
    learn(FOUR, NONE)
    names.configure({ ...RULES, servers: [] }, {})
    expect(texts(lookup())).toEqual(FOUR)
  })

  it('that say another time, or other servers, forget it', () => {
    for (const rules of [
      { ...RULES, longestMs: 60_000 },
      { ...RULES, servers: [{ address: '192.0.2.53', port: 53 }] },
    ]) {
      learn(FOUR, NONE)
      names.configure(rules, {})
      expect(lookup()).toBe(null)
      names.configure(RULES, {})
    }
  })

  it('leave nobody waiting who had asked before', () => {
    const answers = ask()
    names.configure({ ...RULES, longestMs: 60_000 }, {})
    say(4, FOUR)
    say(6, NONE)
    expect(answers.map(texts)).toEqual([FOUR])
  })
})

describe('limits', () => {
  it('no more names are asked for at a time than there may be', async () => {
    for (let i = 0; i < ASKING_MAX; i++) ask(`n${i}.test`)
    const [over] = await Promise.all([
      new Promise<Answer>((resolve) => names.ask(SITE, resolve)),
      Promise.resolve(),
    ])
    expect(over).toMatchObject({ outcome: 'failed', why: 'too many names are asked for' })
    say(4, FOUR, 300, 'n0.test')
    say(6, NONE, 300, 'n0.test')
    expect(learn(FOUR, NONE).outcome).toBe('found')
  })

  it('no more names are remembered than there may be', () => {
    for (let i = 0; i < NAMES_MAX + 10; i++) {
      ask(`n${i}.test`)
      say(4, FOUR, 300, `n${i}.test`)
      say(6, NONE, 300, `n${i}.test`)
    }
    expect(names.size).toBe(NAMES_MAX)
    expect(lookup('n0.test')).toBe(null)
  })
})

describe('whatever the servers say, in whatever order', () => {
  const what = fc.oneof(
    fc.constantFrom('ENOTFOUND', 'ENODATA', 'ESERVFAIL', 'ETIMEOUT', 'ECANCELLED'),
    fc.subarray(['192.0.2.1', '192.0.2.2', '::ffff:192.0.2.3'], { minLength: 1 }),
  )
  const step = fc.record({
    act: fc.constantFrom('ask', 'four', 'six', 'move'),
    what,
    ttl: fc.nat(400),
    byMs: fc.nat(100_000),
  })

  it('each who asks is told once, and no answer outlives its time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        timers = new MovedTimers()
        asked = []
        names = open()
        const told: number[] = []
        let asking = 0
        let bestUntilMs = -Infinity
        for (const { act, what, ttl, byMs } of steps) {
          if (act === 'move') timers.move(byMs)
          if (act === 'ask' && lookup() === null) {
            const mine = asking++
            names.ask(SITE, () => told.push(mine))
          }
          const family = act === 'four' ? 4 : 6
          if ((act === 'four' || act === 'six') && asked.some((one) => one.family === family)) {
            say(family, what, ttl)
            const keptMs = Math.max(ttl * 1_000, RULES.shortestMs)
            bestUntilMs = Math.max(bestUntilMs, timers.nowMs + keptMs)
          }
          const answer = lookup()
          if (answer?.outcome === 'found' && names.counters.stale === 0) {
            expect(timers.nowMs).toBeLessThan(bestUntilMs + RESOLUTION_DELAY_MS)
          }
          if (answer !== null) expect(answer.places.length > 0).toBe(answer.outcome === 'found')
        }
        while (asked.length > 0) say(asked[0]!.family, 'ESERVFAIL')
        await Promise.resolve()
        expect(told.toSorted((a, b) => a - b)).toEqual(Array.from({ length: asking }, (_, i) => i))
        expect(timers.left).toBe(0)
      }),
    )
  })
})

it('places are what dns.hosts may hold', () => {
  expect(placesOf(['192.0.2.1', 'no address', '192.0.2.1']).map(({ text }) => text)).toEqual([
    '192.0.2.1',
  ])
})
