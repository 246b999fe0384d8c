/**
 * Owns: the shape of a day of the traffic log: its tables, the view `traffic`, their version, and the way
 * from an older version.
 * Never: opens a file or holds a record.
 *
 * SQLite keeps the comments that stand inside a statement: `.schema` in the sqlite3 shell shows
 * them, so that a file makes sense without us. What repeats is kept once in a small dictionary
 * table and meant by its number, which makes a record about 45 bytes.
 */

/**
 * PRAGMA user_version of the files written here. 1: until the server name was recorded. Older days stay as
 * they are and are read; the one that is written is brought up to date first (`UPGRADES`).
 */
export const SCHEMA_VERSION = 2
/** The oldest that can be read and brought up to date. */
export const VERSION_FIRST = 1
/** PRAGMA application_id: `Slus` in ASCII, so that file(1) and people can tell whose file it is. */
export const APPLICATION_ID = 0x536c7573
/** Beyond every moment of a day: the ends of the table `offsets`. */
export const FOREVER_MS = Number.MAX_SAFE_INTEGER

/** One row of the view `traffic`, and of what a search gives. Named as the columns are. */
export interface TrafficRow {
  time: string
  epoch_ms: number
  zone: string
  user: string
  identity: string
  address: string
  method: string
  host: string
  port: number
  path: string
  categories: string
  platforms: string
  verdict: string
  reason: string
  rule: string
  decision: string
  bytes_up: number
  bytes_down: number
  duration_ms: number
  status: number
  event: string
  ending: string
  hello: string
  server_name: string
  flow: number
  run: string
  thread: number
  count: number
}

/** Of the view: column, the expression that gives it, and what it means. */
const VIEW: readonly (readonly [keyof TrafficRow, string, string])[] = [
  [
    'time',
    `strftime('%Y-%m-%dT%H:%M:%S', (d.start_ms + r.at) / 1000 + o.seconds, 'unixepoch') || o.text`,
    'when it was decided: local time, with its offset from UTC',
  ],
  ['epoch_ms', 'd.start_ms + r.at', 'the same moment, in milliseconds since 1970 UTC'],
  ['zone', 'c.zone', 'part of the network, as the settings name it'],
  ['user', 'c.user', 'name, or u-… (a pseudonym); or the address or zone where that is who it is'],
  ['identity', 'c.identity', 'how we know: user (a proved name), address, network (the zone)'],
  ['address', 'c.address', 'of the client, or a-… (a pseudonym)'],
  ['method', 'm.name', 'CONNECT is a tunnel'],
  ['host', 't.host', 'that was asked for'],
  ['port', 't.port', ''],
  ['path', 'r.path', 'of plain HTTP without its query, where log.paths says so'],
  ['categories', 't.categories', 'of the host, joined by commas'],
  ['platforms', 't.platforms', 'of the host, joined by commas'],
  ['verdict', 'v.verdict', 'allow, block, spent, challenge or refuse'],
  ['reason', 'v.reason', 'stable code; docs/reasons.md'],
  ['rule', 'v.rule', 'what gave the verdict'],
  ['decision', 'v.decision', 'diary number of the decision behind the rule'],
  ['bytes_up', 'r.bytes_up', 'payload from the client'],
  ['bytes_down', 'r.bytes_down', 'payload to the client'],
  ['duration_ms', 'r.duration_ms', 'from the decision to the end, or to this row'],
  ['status', 'r.status', 'HTTP status answered or passed on; 0: none'],
  [
    'event',
    'e.name',
    'whole; or opened and closed, two rows of one flow; gap: `count` are missing',
  ],
  ['ending', 'n.name', 'how it ended; open: not yet'],
  [
    'hello',
    'h.outcome',
    'of a tunnel, what its first bytes said: matched (TLS for the host), mismatch, none, ech, not-tls, incomplete, malformed',
  ],
  [
    'server_name',
    `iif(h.outcome = 'matched' AND h.server_name = '', t.host, h.server_name)`,
    'in the TLS hello of a tunnel',
  ],
  ['flow', 'r.flow', 'number of the exchange within run and thread'],
  ['run', 's.run', 'one start of the proxy'],
  ['thread', 's.thread', 'of the proxy'],
  ['count', 'r.count', '1; of a gap: how many records could not be kept'],
]

/** The columns of the view, in its order. */
export const TRAFFIC_COLUMNS: readonly (keyof TrafficRow)[] = VIEW.map(([name]) => name)

/** The first version with what the first bytes of a tunnel said. */
export const HELLO_VERSION = 2
const HELLO_JOIN = `
  CROSS JOIN hellos h ON h.id = r.hello`

/**
 * What the view reads. CROSS JOIN keeps SQLite to this order: through the records once, looking the
 * rest up by number. Left to choose, it builds an index of its own over all records for one
 * question.
 */
const VIEW_FROM = `day d
  CROSS JOIN records r
  CROSS JOIN offsets o ON r.at >= o.from_at AND r.at < o.until_at
  CROSS JOIN clients c ON c.id = r.client
  CROSS JOIN targets t ON t.id = r.target
  CROSS JOIN outcomes v ON v.id = r.outcome
  CROSS JOIN methods m ON m.id = r.method
  CROSS JOIN events e ON e.id = r.event
  CROSS JOIN endings n ON n.id = r.ending
  CROSS JOIN sources s ON s.id = r.source${HELLO_JOIN}`

/** The row of the view that record `?` gives, in a file of `version`. */
export function selectRow(version: number): string {
  const columns = VIEW.map(([name, sql]) => {
    const known = version >= HELLO_VERSION || (name !== 'hello' && name !== 'server_name')
    return `${known ? sql : "''"} AS ${name}`
  })
  const from = version >= HELLO_VERSION ? VIEW_FROM : VIEW_FROM.replace(HELLO_JOIN, '')
  return `SELECT ${columns.join(', ')}\nFROM ${from} WHERE r.id = ?`
}

function viewSql(): string {
  const columns = VIEW.map(([name, sql, meaning], i) => {
    const comma = i === VIEW.length - 1 ? '' : ','
    return `  ${sql} AS ${name}${comma}${meaning === '' ? '' : ` -- ${meaning}`}`
  })
  return `CREATE VIEW traffic AS
-- The log as people read it. Try: SELECT time, user, host, verdict, reason FROM traffic LIMIT 20;
SELECT
${columns.join('\n')}
FROM ${VIEW_FROM};`
}

/** Its rows with the numbers 0 and 1 are in every file: SQLite keeps these in no room at all. */
const HELLOS = `
CREATE TABLE hellos (
  -- What the first bytes of a tunnel said.
  id INTEGER PRIMARY KEY,
  outcome TEXT NOT NULL,          -- empty: not a tunnel, or nothing was said in it
  server_name TEXT NOT NULL,      -- empty: there was none, or (matched) it was the host
  UNIQUE (outcome, server_name)
) STRICT;

INSERT INTO hellos VALUES (0, '', ''), (1, 'matched', '');
`

/** All that a new file gets, to be run in one transaction. */
export const SCHEMA = `
CREATE TABLE day (
  -- One row: the day that this file holds. To read the log, ask the view: SELECT * FROM traffic;
  version INTEGER NOT NULL,       -- of this schema, as PRAGMA user_version
  date TEXT NOT NULL,             -- local date on which the day starts
  timezone TEXT NOT NULL,         -- its IANA name
  starts_minute INTEGER NOT NULL, -- minutes after midnight at which a day starts
  start_ms INTEGER NOT NULL,      -- milliseconds since 1970 UTC; records.at counts from here
  end_ms INTEGER NOT NULL         -- the same, exclusive
) STRICT;

CREATE TABLE offsets (
  -- Local time minus UTC: one row; two where the clocks change. First and last have no end.
  from_at INTEGER NOT NULL,       -- as records.at, inclusive
  until_at INTEGER NOT NULL,      -- as records.at, exclusive
  seconds INTEGER NOT NULL,
  text TEXT NOT NULL              -- as it stands after a time: +01:00
) STRICT;

CREATE TABLE sources (
  -- Who makes records: one thread of one run of the proxy.
  id INTEGER PRIMARY KEY,
  run TEXT NOT NULL,
  thread INTEGER NOT NULL,
  UNIQUE (run, thread)
) STRICT;

CREATE TABLE clients (
  -- Who asked.
  id INTEGER PRIMARY KEY,
  zone TEXT NOT NULL,
  identity TEXT NOT NULL,         -- user, address, network, or empty: not known
  user TEXT NOT NULL,
  address TEXT NOT NULL,
  UNIQUE (zone, identity, user, address)
) STRICT;

CREATE TABLE targets (
  -- What was asked for, with what the lists said of it then: a host may stand here more than once.
  id INTEGER PRIMARY KEY,
  platforms TEXT NOT NULL,        -- names, joined by commas
  categories TEXT NOT NULL,       -- names, joined by commas
  port INTEGER NOT NULL,
  host TEXT NOT NULL,
  UNIQUE (platforms, categories, port, host)
) STRICT;

CREATE TABLE outcomes (
  -- What was decided, and why.
  id INTEGER PRIMARY KEY,
  verdict TEXT NOT NULL,
  reason TEXT NOT NULL,
  rule TEXT NOT NULL,
  decision TEXT NOT NULL,
  UNIQUE (verdict, reason, rule, decision)
) STRICT;

CREATE TABLE methods (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE       -- CONNECT is a tunnel
) STRICT;

CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE       -- whole, opened, closed, gap
) STRICT;

CREATE TABLE endings (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE       -- how an exchange ended
) STRICT;
${HELLOS}
CREATE TABLE batches (
  -- What has been received: a batch that is sent again is not written again.
  source INTEGER NOT NULL REFERENCES sources (id),
  number INTEGER NOT NULL,        -- counts up from 1 within a source
  first INTEGER NOT NULL,         -- records.id of its first record in this file
  records INTEGER NOT NULL,       -- how many of its records are here, one after the other
  PRIMARY KEY (source, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE records (
  -- One decision or ending a row, in the order of writing. Never changed.
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,            -- milliseconds after day.start_ms
  source INTEGER NOT NULL REFERENCES sources (id),
  flow INTEGER NOT NULL,          -- number of the exchange within its source
  event INTEGER NOT NULL REFERENCES events (id),
  client INTEGER NOT NULL REFERENCES clients (id),
  target INTEGER NOT NULL REFERENCES targets (id),
  method INTEGER NOT NULL REFERENCES methods (id),
  outcome INTEGER NOT NULL REFERENCES outcomes (id),
  ending INTEGER NOT NULL REFERENCES endings (id),
  bytes_up INTEGER NOT NULL,
  bytes_down INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  status INTEGER NOT NULL,
  count INTEGER NOT NULL,         -- 1; of a gap: how many records are missing
  path TEXT NOT NULL,             -- mostly empty, and seldom the same twice: not worth a dictionary
  hello INTEGER NOT NULL DEFAULT 0 REFERENCES hellos (id)
) STRICT;

${viewSql()}

PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${SCHEMA_VERSION};
`

/** By version: what makes a file of it one of the next, to be run in one transaction, foreign keys off. */
export const UPGRADES: Readonly<Record<number, string>> = {
  1: `${HELLOS}
ALTER TABLE records ADD COLUMN hello INTEGER NOT NULL DEFAULT 0 REFERENCES hellos (id);
DROP VIEW traffic;
${viewSql()}
UPDATE day SET version = 2;
PRAGMA user_version = 2;
`,
}
