-- A day file as schema version 1 made it, before the server name was recorded. Never changed.

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
  path TEXT NOT NULL              -- mostly empty, and seldom the same twice: not worth a dictionary
) STRICT;

CREATE VIEW traffic AS
-- The log as people read it. Try: SELECT time, user, host, verdict, reason FROM traffic LIMIT 20;
SELECT
  strftime('%Y-%m-%dT%H:%M:%S', (d.start_ms + r.at) / 1000 + o.seconds, 'unixepoch') || o.text AS time, -- when it was decided: local time, with its offset from UTC
  d.start_ms + r.at AS epoch_ms, -- the same moment, in milliseconds since 1970 UTC
  c.zone AS zone, -- part of the network, as the settings name it
  c.user AS user, -- name, or u-… (a pseudonym); or the address or zone where that is who it is
  c.identity AS identity, -- how we know: user (a proved name), address, network (the zone)
  c.address AS address, -- of the client, or a-… (a pseudonym)
  m.name AS method, -- CONNECT is a tunnel
  t.host AS host, -- that was asked for
  t.port AS port,
  r.path AS path, -- of plain HTTP without its query, where log.paths says so
  t.categories AS categories, -- of the host, joined by commas
  t.platforms AS platforms, -- of the host, joined by commas
  v.verdict AS verdict, -- allow, block, spent, challenge or refuse
  v.reason AS reason, -- stable code; docs/reasons.md
  v.rule AS rule, -- what gave the verdict
  v.decision AS decision, -- diary number of the decision behind the rule
  r.bytes_up AS bytes_up, -- payload from the client
  r.bytes_down AS bytes_down, -- payload to the client
  r.duration_ms AS duration_ms, -- from the decision to the end, or to this row
  r.status AS status, -- HTTP status answered or passed on; 0: none
  e.name AS event, -- whole; or opened and closed, two rows of one flow; gap: `count` are missing
  n.name AS ending, -- how it ended; open: not yet
  r.flow AS flow, -- number of the exchange within run and thread
  s.run AS run, -- one start of the proxy
  s.thread AS thread, -- of the proxy
  r.count AS count -- 1; of a gap: how many records could not be kept
FROM day d
  CROSS JOIN records r
  CROSS JOIN offsets o ON r.at >= o.from_at AND r.at < o.until_at
  CROSS JOIN clients c ON c.id = r.client
  CROSS JOIN targets t ON t.id = r.target
  CROSS JOIN outcomes v ON v.id = r.outcome
  CROSS JOIN methods m ON m.id = r.method
  CROSS JOIN events e ON e.id = r.event
  CROSS JOIN endings n ON n.id = r.ending
  CROSS JOIN sources s ON s.id = r.source;

PRAGMA application_id = 1399616883;
PRAGMA user_version = 1;
