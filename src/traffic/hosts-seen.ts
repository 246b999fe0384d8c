/**
 * Owns: which hosts the log saw in a time, and how many requests each had: what a change of lists
 * is held against before it is in force.
 * Never: says who asked.
 */
import { statSync } from 'node:fs'
import { describeFailure, type Failure } from './failure.ts'
import { listDays } from './folder.ts'
import { openDay } from './reading.ts'

export interface HostsSeenOptions {
  /** Days from 1970-01-01 to the first day that is asked for, as in the name of its file. */
  readonly fromDay: number
  /** Called after each day. */
  readonly onDay?: (done: number, total: number) => void
  /** Called for each day that could not be read; the others are. */
  readonly onFailure: (failure: Failure) => void
}

/** Requests by host, all days together. A connection in two rows (opened, closed) is one request. */
export function hostsSeen(
  folder: string,
  { fromDay, onDay, onFailure }: HostsSeenOptions,
): Map<string, number> {
  const days = listDays(folder).filter(({ number }) => number >= fromDay)
  const requests = new Map<string, number>()
  for (const [i, { path }] of days.entries()) {
    try {
      addDay(path, requests)
    } catch (error) {
      // Purged between the listing and the opening: no day of the log any more.
      if (statSync(path, { throwIfNoEntry: false }) !== undefined) {
        onFailure(describeFailure(error, path))
      }
    }
    onDay?.(i + 1, days.length)
  }
  return requests
}

/** The numbers are counted first, and named after: a target's row is read once. */
const COUNTS = `SELECT t.host AS host, sum(n.requests) AS requests
FROM (SELECT target, count(*) AS requests FROM records
  WHERE event IN (SELECT id FROM events WHERE name IN ('whole', 'opened')) GROUP BY target) n
JOIN targets t ON t.id = n.target WHERE t.host <> '' GROUP BY t.host`

function addDay(path: string, requests: Map<string, number>): void {
  const database = openDay(path)?.database
  if (database === undefined) return
  try {
    const rows = database.prepare<[], { host: string; requests: number }>(COUNTS).all()
    for (const row of rows) requests.set(row.host, (requests.get(row.host) ?? 0) + row.requests)
  } finally {
    database.close()
  }
}
