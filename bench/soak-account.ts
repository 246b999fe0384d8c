/**
 * Owns: what comes of a soak: what it saw, set against what is in the log; what must hold; tables.
 * Never: takes a missing record or a failed request for chance.
 */
import Database from 'better-sqlite3'
import type { Counters } from '../src/proxy/world.ts'
import { listDays } from '../src/traffic/folder.ts'
import type { BenchResult, Fact, Table } from './measure.ts'
import type { Attack, Bounds } from './stand/attempts.ts'
import { FLOODS } from './stand/floods.ts'
import type { Honest } from './stand/honest.ts'
import { QUIET } from './stand/hostile.ts'
import { LOAD_CORE, MEASURED_CORE } from './stand/processes.ts'

/** Of the job's users: those who are honest; the others are not. */
export const HONEST_USERS = 12
const MIB = 1_024 * 1_024

export interface Scale {
  readonly minutes: number
  readonly domains: number
  readonly tunnels: number
  readonly connections: number
  readonly trickleMs: number
  /** Between two rounds of attacks. */
  readonly restMs: number
  readonly rateMs: number
  readonly sampleMs: number
  /** How long all may take to be as it was. */
  readonly settleMs: number
  readonly bounds: Bounds
}

export interface Sample {
  readonly atMs: number
  readonly rssBytes: number
  readonly descriptors: number
}

export interface Account {
  readonly honest: Honest
  /** Of honest users: all, those before the soak as well. */
  readonly answered: number
  readonly perSecond: number
  /** Of the measured core. */
  readonly cpuShare: number
  readonly samples: readonly Sample[]
  readonly descriptors: { readonly before: number; readonly after: number }
  readonly rss: { readonly before: number; readonly after: number }
  readonly counters: Counters
  readonly met: ReadonlyMap<Attack, ReadonlyMap<string, number>>
}

export interface Rows {
  /** By event. */
  readonly events: ReadonlyMap<string, number>
  /** Begun exchanges of honest users. */
  readonly honest: number
}

/** What is in the log, once nobody writes it any more. */
export function rowsOf(folder: string): Rows {
  const events = new Map<string, number>()
  let honest = 0
  for (const { path } of listDays(folder)) {
    const database = new Database(path, { readonly: true })
    const rows = database
      .prepare<[], { event: string; user: string; rows: number }>(
        `SELECT e.name AS event, c.user AS user, COUNT(*) AS rows FROM records r
         JOIN events e ON e.id = r.event JOIN clients c ON c.id = r.client GROUP BY 1, 2`,
      )
      .all()
    database.close()
    for (const { event, user, rows: count } of rows) {
      events.set(event, (events.get(event) ?? 0) + count)
      const number = Number(/^anna(\d+)$/.exec(user)?.[1] ?? Number.NaN)
      if (number < HONEST_USERS && event !== 'closed') honest += count
    }
  }
  return { events, honest }
}

export interface Check {
  readonly what: string
  readonly found: string
  readonly holds: boolean
  /** It takes longer than a small run lasts. */
  readonly onlyLarge?: boolean
}

export function checksOf(account: Account, { events, honest: logged }: Rows): Check[] {
  const { honest, answered, counters, descriptors } = account
  const count = (event: string) => events.get(event) ?? 0
  const rows = [...events.values()].reduce((sum, some) => sum + some, 0)
  const say = (value: number) => value.toLocaleString('en')
  const reasons = [...QUIET, ...FLOODS].map(({ reason }) => reason)
  const uncounted = reasons.filter((reason) => reason !== '' && !counters.reasons[reason])
  const texts = [...honest.faultTexts].map(([text, times]) => `${text} ×${say(times)}`)
  return [
    {
      what: 'honest requests and exchanges that failed',
      found: [say(honest.faults), ...texts].join('; '),
      holds: honest.faults === 0,
    },
    {
      what: 'honest requests answered, and their rows in the log',
      found: `${say(answered)}, ${say(logged)}`,
      holds: answered === logged,
    },
    {
      what: 'records made, and rows in the log',
      found: `${say(counters.records)}, ${say(rows)}`,
      holds: counters.records === rows && count('gap') === 0 && counters.recordsLost === 0,
    },
    {
      what: 'rows that open an exchange, and that close one',
      found: `${say(count('opened'))}, ${say(count('closed'))}`,
      holds: count('opened') === count('closed'),
    },
    {
      what: 'file descriptors before and after',
      found: `${descriptors.before}, ${descriptors.after}`,
      holds: descriptors.after <= descriptors.before,
    },
    {
      what: 'limits that attacks went for, and that counted none',
      found: uncounted.length === 0 ? 'none' : uncounted.join(', '),
      holds: uncounted.length === 0,
      onlyLarge: true,
    },
  ]
}

export function resultOf(account: Account, checks: readonly Check[], scale: Scale): BenchResult {
  const { honest, perSecond, cpuShare, samples, rss } = account
  const mib = (name: string, bytes: number): Fact => ({ name, value: bytes / MIB, unit: 'MiB' })
  const at = (share: number) => samples[Math.round((samples.length - 1) * share)]!.rssBytes
  const facts: Fact[] = [
    { name: 'requests a second', value: perSecond, unit: '' },
    { name: 'of the core, in use', value: cpuShare * 100, unit: '%' },
    { name: 'honest requests answered', value: honest.answered, unit: '' },
    { name: 'exchanges in tunnels that were kept', value: honest.trickled, unit: '' },
    { name: 'GET, p50', value: honest.getLatency.quantileMs(0.5), unit: 'ms' },
    { name: 'GET, p99', value: honest.getLatency.quantileMs(0.99), unit: 'ms' },
    { name: 'GET, at most', value: honest.getLatency.maxMs, unit: 'ms' },
    {
      name: 'CONNECT + GET + close, p50',
      value: honest.connectLatency.quantileMs(0.5),
      unit: 'ms',
    },
    {
      name: 'CONNECT + GET + close, p99',
      value: honest.connectLatency.quantileMs(0.99),
      unit: 'ms',
    },
    { name: 'CONNECT + GET + close, at most', value: honest.connectLatency.maxMs, unit: 'ms' },
    { name: 'the load itself late, p99', value: honest.lateness.quantileMs(0.99), unit: 'ms' },
    { name: 'the load itself late, at most', value: honest.lateness.maxMs, unit: 'ms' },
    mib('memory before', rss.before),
    mib('memory at the start, a twentieth in', at(0.05)),
    mib('memory in the middle', at(0.5)),
    mib('memory at the end', at(1)),
    mib('memory at most', Math.max(...samples.map(({ rssBytes }) => rssBytes))),
    mib('memory after', rss.after),
  ]
  return {
    ...{ comparisons: [], facts, tables: [tableOfChecks(checks), tableOfAttacks(account)] },
    plots: [
      {
        ...{ name: 'memory', title: 'Memory during the soak', spans: [] },
        x: { label: 'minutes', scale: 'linear' },
        y: { label: 'MiB', scale: 'linear' },
        lines: [
          {
            ...{ name: 'resident', group: 'resident' },
            points: samples.map(({ atMs, rssBytes }) => [atMs / 60_000, rssBytes / MIB] as const),
          },
        ],
      },
    ],
    notes: [
      `${Number(scale.minutes.toFixed(2))} minutes; Sluss with one thread on core ${MEASURED_CORE}, load and origin on core ${LOAD_CORE}; ${scale.domains.toLocaleString('en')} domains, sign-in, quota and log as in the bench of the proxy.`,
      `Honest: ${scale.tunnels.toLocaleString('en')} tunnels, each used every ${scale.trickleMs / 1_000} s; at fixed moments GETs over at most ${scale.connections} connections, one request in five CONNECT + GET + close, one GET in a hundred for a listed host that must be refused. Latency counts from the moment at which it was due.`,
      'Hostile: each attack again and again, from an address of its own. While all places for tunnels, or for connections, are taken, honest clients open none, and go on with those that they have.',
    ],
  }
}

function tableOfChecks(checks: readonly Check[]): Table {
  return {
    title: 'What must hold',
    header: ['', 'found', ''],
    rows: checks.map(({ what, found, holds }) => [what, found, holds ? 'holds' : 'DOES NOT HOLD']),
  }
}

function tableOfAttacks({ counters, met }: Account): Table {
  return {
    title: 'Attacks, and what they met',
    header: ['attack', 'met with', 'limit', 'counted'],
    rows: [...QUIET, ...FLOODS].map((attack) => {
      const counts = [...(met.get(attack) ?? [])].sort(([, a], [, b]) => b - a)
      const text = counts.map(([how, count]) => `${how} ×${count.toLocaleString('en')}`).join(', ')
      const counted = attack.reason === '' ? '' : (counters.reasons[attack.reason] ?? 0)
      return [attack.name, text, attack.reason, counted]
    }),
  }
}
