/**
 * Owns: questions to the log: which rows, of which days, newest first.
 * Never: writes, keeps a file from being written, or leaves out a day it could not read without
 * saying so.
 *
 * Rows `opened` and `closed` of one flow are one row of the answer: the closed one, or where there
 * is none yet, the opened one, whose ending is then `open`. Filters look at that row.
 */
import { statSync } from 'node:fs'
import {
  type Action,
  type Calendar,
  formatAddress,
  type HelloOutcome,
  localDay,
  parseAddress,
  parseUserName,
} from '../policy/index.ts'
import { describeFailure, type Failure } from './failure.ts'
import { type DayFile, listDays } from './folder.ts'
import type { Pseudonyms } from './pseudonym.ts'
import { openDay } from './reading.ts'
import { HELLO_VERSION, selectRow, type TrafficRow } from './schema.ts'

/** All that is given must hold. */
export interface SearchQuery {
  /**
   * A person's name, an address or zone that stands for one, or a pseudonym as the log shows it.
   */
  readonly user?: string
  /** An IP address, or a pseudonym as the log shows it. */
  readonly address?: string
  /** In normal form; its subdomains match too. */
  readonly host?: string
  readonly zone?: string
  readonly category?: string
  readonly verdict?: Action
  readonly reason?: string
  /** Of a tunnel: what its first bytes said. */
  readonly hello?: HelloOutcome
  /** In the TLS hello of a tunnel, in normal form; its subdomains match too. */
  readonly serverName?: string
  /** Milliseconds since 1970: from, inclusive, and to, exclusive. */
  readonly fromMs?: number
  readonly toMs?: number
  /** The most rows to give. */
  readonly limit?: number
}

export interface SearchOptions {
  readonly calendar: Calendar
  /**
   * What names were replaced by; null where there is no key, so only names as written are found.
   */
  readonly pseudonyms: Pseudonyms | null
  /** Called for each day that could not be read; the search goes on with the others. */
  readonly onFailure: (failure: Failure) => void
}

/**
 * The rows that match, newest first: by the time of decision, then by the order of writing. Reads
 * while the writer writes; what is written meanwhile may or may not be seen.
 */
export function* search(
  folder: string,
  query: SearchQuery,
  options: SearchOptions,
): Generator<TrafficRow> {
  let left = query.limit ?? Number.MAX_SAFE_INTEGER
  for (const file of daysOf(folder, query, options)) {
    if (left <= 0) return
    try {
      for (const row of searchDay(file, { ...query, limit: left }, options)) {
        left--
        yield row
      }
    } catch (error) {
      // Purged between the listing and the opening: no day of the log any more.
      if (statSync(file.path, { throwIfNoEntry: false }) === undefined) continue
      options.onFailure(describeFailure(error, file.path))
    }
  }
}

/**
 * The files that may hold rows of the time asked for, newest first: one more on either side,
 * because a file may have been cut by the settings of its time.
 */
function daysOf(
  folder: string,
  { fromMs, toMs }: SearchQuery,
  { calendar, onFailure }: SearchOptions,
): DayFile[] {
  // No record is older than 1970, and the calendar is not asked for days it does not know.
  const numberOf = (ms: number) => localDay(calendar, Math.max(ms, 0)).number
  const first = fromMs === undefined ? -Infinity : numberOf(fromMs) - 1
  const last = toMs === undefined ? Infinity : numberOf(toMs) + 1
  try {
    return listDays(folder)
      .filter(({ number }) => number >= first && number <= last)
      .reverse()
  } catch (error) {
    onFailure(describeFailure(error, folder))
    return []
  }
}

function* searchDay(
  { path }: DayFile,
  query: SearchQuery & { limit: number },
  { pseudonyms }: SearchOptions,
): Generator<TrafficRow> {
  const day = openDay(path)
  if (day === null) return
  const { database, version } = day
  try {
    // What a day does not know of, none of its rows has.
    if (version < HELLO_VERSION && (query.hello ?? query.serverName) !== undefined) return
    const { where, values } = conditions(query, pseudonyms)
    // The numbers first, the rows one by one after: no transaction is open while a reader takes its
    // time, which would keep the -wal from shrinking. Records never change, so the rows stay true.
    const ids = database
      .prepare<unknown[], number>(
        `SELECT r.id FROM records r WHERE ${where} ORDER BY r.at DESC, r.id DESC LIMIT ?`,
      )
      .pluck()
      .all(...values, query.limit)
    const row = database.prepare<[number], TrafficRow>(selectRow(version))
    for (const id of ids) {
      const found = row.get(id)
      if (found === undefined) continue
      yield found.event === 'opened' ? { ...found, ending: 'open' } : found
    }
  } finally {
    database.close()
  }
}

interface Conditions {
  readonly where: string
  readonly values: (string | number)[]
}

/** The cheap ones first; the dictionaries are asked once each, not once a record. */
function conditions(query: SearchQuery, pseudonyms: Pseudonyms | null): Conditions {
  const parts: string[] = []
  const values: (string | number)[] = []
  const add = (sql: string, ...bound: (string | number)[]) => {
    parts.push(sql)
    values.push(...bound)
  }
  const anyOf = (column: string, texts: string[]) =>
    add(
      `r.client IN (SELECT id FROM clients WHERE ${column} IN (${texts.map(() => '?').join(', ')}))`,
      ...texts,
    )
  const { user, address, host, zone, category, verdict, reason, hello, fromMs, toMs } = query
  if (fromMs !== undefined) add('r.at >= ? - (SELECT start_ms FROM day)', fromMs)
  if (toMs !== undefined) add('r.at < ? - (SELECT start_ms FROM day)', toMs)
  if (user !== undefined) anyOf('user', userForms(user, pseudonyms))
  if (address !== undefined) anyOf('address', addressForms(address, pseudonyms))
  if (zone !== undefined) anyOf('zone', [zone])
  const target = (sql: string) => `r.target IN (SELECT id FROM targets WHERE ${sql})`
  if (host !== undefined) add(target(HOST_ENDS), ...endsOf(host))
  if (category !== undefined) {
    add(target(`instr(',' || categories || ',', ?) > 0`), `,${category},`)
  }
  const outcome = (sql: string) => `r.outcome IN (SELECT id FROM outcomes WHERE ${sql})`
  if (verdict !== undefined) add(outcome('verdict = ?'), verdict)
  if (reason !== undefined) add(outcome('reason = ?'), reason)
  if (hello !== undefined) add('r.hello IN (SELECT id FROM hellos WHERE outcome = ?)', hello)
  if (query.serverName !== undefined) {
    const ends = endsOf(query.serverName)
    // A name that is the host is not written a second time.
    add(
      `(r.hello IN (SELECT id FROM hellos
          WHERE server_name = ? OR substr(server_name, -length(?)) = ?)
        OR r.hello = (SELECT id FROM hellos WHERE outcome = 'matched' AND server_name = '')
          AND ${target(HOST_ENDS)})`,
      ...[...ends, ...ends],
    )
  }
  parts.push(`(r.event <> (SELECT id FROM events WHERE name = 'opened') OR (r.source, r.flow) NOT IN
    (SELECT source, flow FROM records WHERE event = (SELECT id FROM events WHERE name = 'closed')))`)
  return { where: parts.join('\n AND '), values }
}

/** A host may be longer than the question: its end is compared, not a pattern with its own rules. */
const HOST_ENDS = 'host = ? OR substr(host, -length(?)) = ?'

function endsOf(host: string): string[] {
  return [host, `.${host}`, `.${host}`]
}

/**
 * All that may stand in the column `user` for `text`: as written, as compared, and their
 * pseudonyms.
 */
function userForms(text: string, pseudonyms: Pseudonyms | null): string[] {
  const name = parseUserName(text)
  const names = name === null ? [text] : [text, name]
  return [
    ...names,
    ...(pseudonyms === null ? [] : names.map((each) => pseudonyms.user(each))),
    ...(parseAddress(text) === null ? [] : addressForms(text, pseudonyms)),
  ]
}

function addressForms(text: string, pseudonyms: Pseudonyms | null): string[] {
  const address = parseAddress(text)
  const canonical = address === null ? text : formatAddress(address)
  return [canonical, ...(pseudonyms === null ? [] : [pseudonyms.address(canonical)])]
}
