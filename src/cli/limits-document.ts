/**
 * Owns: docs/limits.md: every limit of the data plane, what meets it, and how that is told.
 * Never: has a figure of its own: defaults come from the schema, constants from the files they stand in.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Ending, type Reason, reasonEntry } from '../policy/index.ts'
import { GENERATED, markdownTable } from '../settings/document.ts'
import type { limitShape } from '../settings/limit-schema.ts'
import { settingEntries } from '../settings/outline.ts'

const SOURCES = join(import.meta.dirname, '..')

interface Met {
  /** What is counted together. */
  readonly of: string
  /** Under which code it is told, answered and counted; null: nothing is refused. */
  readonly reason: Reason | null
  /** How the record of what was under way says that it ended, where that is more than `refused`. */
  readonly ending?: Ending
  /** What follows, where the words of the setting do not say it. */
  readonly follows: string
}

const CLOSED = 'the connection is closed; nothing was under way'

/** By the name of the setting, without `limits.`; the type asks for all of them. */
const LIMITS: Readonly<Record<keyof typeof limitShape, Met>> = {
  head: {
    of: 'a head',
    reason: 'head-too-large',
    follows: 'the connection is closed; of an answer: `origin-malformed`, 502',
  },
  requestLine: { of: 'a head', reason: 'request-line-too-long', follows: 'closed' },
  headFields: { of: 'a head', reason: 'head-too-large', follows: 'closed' },
  headTimeout: {
    of: 'a connection',
    reason: 'head-timeout',
    follows: 'closed; of a head of which nothing has come, without an answer',
  },
  idleTimeout: { of: 'a connection', reason: 'client-idle', follows: CLOSED },
  tunnelIdle: { of: 'a tunnel', reason: 'tunnel-idle', ending: 'timeout', follows: 'it is ended' },
  tunnelLifetime: {
    of: 'a tunnel',
    reason: 'tunnel-lifetime',
    ending: 'lifetime',
    follows: 'it is ended',
  },
  dialTimeout: { of: 'a request', reason: 'dial-timeout', ending: 'timeout', follows: '' },
  originTimeout: { of: 'a request', reason: 'origin-timeout', ending: 'timeout', follows: '' },
  connections: { of: 'a proxy thread', reason: 'connections-full', follows: 'closed' },
  connectionsPerAddress: {
    of: 'an IPv4 address or IPv6 /64, all threads',
    reason: 'connections-of-address',
    follows: 'closed',
  },
  connectionsPerUser: {
    of: 'a user within a zone, all threads',
    reason: 'connections-of-user',
    follows: '',
  },
  tunnels: { of: 'all threads', reason: 'tunnels-full', follows: '' },
  failedLogins: {
    of: 'an IPv4 address or IPv6 /64, all threads',
    reason: 'logins-of-address',
    follows: 'nothing is hashed; for whom it does not hold, see below',
  },
  failedLoginsWithin: {
    of: 'the same',
    reason: 'logins-of-address',
    follows: 'one more may be tried each time that a share of it has passed: of 30 in 5m, 10 s',
  },
  slowestBytes: { of: 'a body or an answer', reason: 'client-too-slow', follows: 'closed' },
  slowestOver: { of: 'the same', reason: 'client-too-slow', follows: 'closed' },
  poolPerOrigin: { of: 'an origin and proxy thread', reason: 'pool-full', follows: CLOSED },
  poolTotal: { of: 'a proxy thread', reason: 'pool-full', follows: CLOSED },
  poolIdle: { of: 'a connection to an origin', reason: 'pool-idle', follows: CLOSED },
  drain: {
    of: 'a stop',
    reason: 'drain-over',
    ending: 'shutdown',
    follows: 'what is open is ended',
  },
}

/** Limits that stand elsewhere in the settings. */
const ELSEWHERE: Readonly<Record<string, Met>> = {
  'quota.users': {
    of: 'all threads',
    reason: 'ledgers-full',
    follows: 'who is not metered is served',
  },
  'quota.grace': {
    of: 'a tunnel',
    reason: 'minutes-spent',
    ending: 'spent',
    follows: 'it is ended',
  },
  'log.unacknowledged': {
    of: 'a proxy thread',
    reason: 'log-unavailable',
    follows: 'with `log.onFailure: continue` none: the log has a gap that is seen',
  },
}

interface Constant {
  /** Path within src. */
  readonly file: string
  readonly name: string
  readonly what: string
  readonly reason: Reason | null
  readonly follows: string
}

const constant = (place: string, what: string, reason: Reason | null, follows = ''): Constant => {
  const [file = '', name = ''] = place.split(' ')
  return { file, name, what, reason, follows }
}

const CONSTANTS: readonly Constant[] = [
  constant(
    'proxy/incoming.ts BLANK_BYTES_MAX',
    'empty lines before a request line',
    'request-line',
  ),
  constant('proxy/request-line.ts METHOD_LENGTH_MAX', 'a method', 'request-line'),
  constant('policy/host.ts HOST_TEXT_LENGTH_MAX', 'a host as it is written', 'host-malformed'),
  constant('policy/host.ts HOST_LENGTH_MAX', 'a host in normal form', 'host-malformed'),
  constant('policy/host.ts LABEL_LENGTH_MAX', 'a part of a host', 'host-malformed'),
  constant('proxy/framing.ts LENGTH_DIGITS_MAX', 'digits of Content-Length', 'framing-conflict'),
  constant('proxy/framing.ts CHUNK_DIGITS_MAX', 'hex digits of a chunk’s size', 'body-malformed'),
  constant(
    'proxy/framing.ts CHUNK_LINE_BYTES_MAX',
    'the line of a chunk, with its extensions',
    'body-malformed',
  ),
  constant('proxy/framing.ts TRAILER_BYTES_MAX', 'the trailers of a body', 'body-malformed'),
  constant('proxy/framing.ts TRAILER_FIELDS_MAX', 'fields in the trailers', 'body-malformed'),
  constant('proxy/forward.ts INTERIM_MAX', 'interim answers to one request', 'origin-malformed'),
  constant(
    'proxy/hello.ts HELLO_BYTES_MAX',
    'the first bytes of a tunnel that are read for a server name',
    null,
    'the hello is `incomplete`, and the tunnel is ended',
  ),
  constant(
    'proxy/tunnel.ts HALF_OPEN_MS',
    'silence of a tunnel of which one side has ended',
    null,
    'it is ended; ending `timeout`',
  ),
  constant(
    'proxy/tunnel.ts LAST_BYTES_MS',
    'the time for last bytes when the other side has closed',
    null,
    'it is ended',
  ),
  constant(
    'proxy/client.ts LINGER_MS',
    'reading on after an answer that ends a connection',
    null,
    CLOSED,
  ),
  constant(
    'proxy/tls-page.ts PAGES_MAX',
    'refused tunnels whose page is shown in TLS, in a thread',
    'tls-pages-full',
    'the refusal is in the answer to the CONNECT, under its own reason; this one is only counted',
  ),
  constant(
    'proxy/tls-page.ts PAGE_REQUESTS_MAX',
    'requests for such a page on one connection',
    null,
    CLOSED,
  ),
  constant(
    'proxy/tls-page.ts PAGE_IDLE_MS',
    'from such a page to the next request',
    'client-idle',
    CLOSED,
  ),
  constant(
    'proxy/tls-page.ts PAGE_LINGER_MS',
    'from the last such page to its client’s end',
    null,
    CLOSED,
  ),
  constant(
    'proxy/listen.ts BACKLOG',
    'connections that the system holds for a thread, half-open ones apart',
    null,
    'the system turns away',
  ),
  constant(
    'identity/basic.ts CREDENTIALS_LENGTH_MAX',
    'a Proxy-Authorization field',
    'credentials-wrong',
    'not hashed, not counted as a failed login',
  ),
  constant(
    'identity/basic.ts PASSWORD_LENGTH_MAX',
    'a password',
    'credentials-wrong',
    'not hashed, not counted',
  ),
  constant(
    'identity/verifier.ts QUEUE_MAX',
    'passwords that wait to be hashed, in a thread',
    'credentials-unavailable',
    'the address that has most waiting among the most suspect loses its last',
  ),
  constant(
    'identity/verifier.ts QUEUE_PER_SOURCE_MAX',
    'of one address',
    'credentials-unavailable',
    'the least suspect go first; of equals addresses have their turn one after the other',
  ),
  constant(
    'identity/verifier.ts QUEUE_WAIT_MS',
    'from a sign-in to its turn to be hashed',
    'credentials-unavailable',
    'not counted as a failed login; the browser keeps its password',
  ),
  constant(
    'identity/verifier.ts CONCURRENT_MAX',
    'passwords hashed at a time where there is one thread; else one in each',
    null,
    'the others wait',
  ),
  constant(
    'identity/verifier.ts VERIFIED_MAX',
    'credentials remembered as right, in a thread',
    null,
    'the one used longest ago is hashed again',
  ),
  constant(
    'identity/verifier.ts FAILED_MAX',
    'credentials remembered as wrong, in a thread',
    null,
    'of another the next row knows; see below',
  ),
  constant(
    'proxy/tally-memory.ts SIGNED_IN_MAX',
    'credentials known to be right, over all threads',
    null,
    'one in a full row takes the place of another, which a barred address may then not try',
  ),
  constant(
    'proxy/tally-memory.ts WRONG_MAX',
    'credentials known to be wrong, over all threads',
    null,
    'one in a full row takes the place of another, which is counted again',
  ),
]

const INTRODUCTION = `What one client, one user or one origin may ask of us, and what happens beyond it. Each reason stands in
the answer (\`Sluss-Reason\`), in the record, and is counted under its code: \`./sluss status --json\`, \`counters.reasons\`. Where nothing is
refused the record of what was under way says how it ended. A default is changed in \`config/sluss.yaml\` (docs/settings.md).`

const COUNTED = `## What is counted over all threads

Connections by address and by user are counted in shared memory by a keyed hash, in four rows of 16,384 columns (a count-min sketch): half
a MiB for each thread, whatever comes. A count is never too low, so no limit is passed. It may be too high where others meet the same
columns: of 20,000 addresses that hold a connection each, some at a limit of 2,000 among them, three in four are counted exactly and the
rest as one to four too many. With limits below ten and thousands of addresses, count on that. Tunnels are counted exactly. What a thread
held that has died is free again at once. Failed logins are kept the same way, as the moment when they will be forgotten; they outlive
the thread, not a restart.

## Failed logins

One unchanged wrong password is one failure, on whichever thread and however often it comes, until the restart or until that user's hash in
the users file is another. So programs with an old password do not bar an address, whatever is saved or reloaded. (Of another address the
same is known to be wrong as well, and is not counted there.)

Where an address has its \`failedLogins\`, these may still sign in from it:

- who has done so since the start with the same password, from anywhere and on any thread. Such credentials are kept as marks in rows of
  eight: of 20,000 none is lost, of 100,000 about one in eighteen. A new password, or a restart, forgets them.
- a name that has not failed from that address within \`failedLoginsWithin\`: one try. The wrong ones among these tries fill a second
  allowance of the address, as large as the first and given back at the same rate; where that is used up as well, new names are barred too.

So a newcomer at a terminal server gets in while others there have used up the first allowance, if the password is right at once. Whoever
guesses the passwords of one name has \`failedLogins\`. Whoever goes through many names has twice that, and bars newcomers at that address
for as long as it goes on: from the same address nobody can tell the two apart. Threads that hash at the same moment may each let one more
through.

Those who wait to be hashed go in this order: who was right before; where neither the address nor the name (wherever it was tried) has failed
lately; where one has; where both have. Every fourth turn goes to the last of these, so that none waits for nothing.`

const CONSTANT_INTRODUCTION = `## That are not settings

What no honest client meets, or what follows from how it is built. The names are those in \`src\`.`

/** docs/limits.md. Throws where a constant is not in its file any more. */
export function limitsDocument(): string {
  const defaults = new Map(settingEntries().map((entry) => [entry.key, entry]))
  const named = [
    ...Object.entries(LIMITS).map(([name, met]) => [`limits.${name}`, met] as const),
    ...Object.entries(ELSEWHERE),
  ]
  const rows = named.map(([key, met]) => {
    const { kind = '', defaultValue } = defaults.get(key) ?? {}
    const [unit = ''] = kind.split(',')
    return [`\`${key}\``, unit, String(defaultValue), met.of, ...toldOf(met.reason), followsOf(met)]
  })
  const head = ['limit', 'unit', 'default', 'for each', 'reason', 'status', 'and then']
  const constants = CONSTANTS.map(({ file, name, what, reason, follows }) => [
    what,
    figureOf(file, name),
    ...toldOf(reason),
    follows,
    `\`${name}\` in ${file}`,
  ])
  const constantHead = ['what', 'at most', 'reason', 'status', 'and then', 'where']
  const parts = ['# Limits', GENERATED, INTRODUCTION, markdownTable(head, rows), COUNTED]
  parts.push(CONSTANT_INTRODUCTION, markdownTable(constantHead, constants))
  return `${parts.join('\n\n')}\n`
}

/** Reason and status, as cells. */
function toldOf(reason: Reason | null): [string, string] {
  if (reason === null) return ['', '']
  const { status, retryAfterS } = reasonEntry(reason)
  const later = retryAfterS === undefined ? '' : `, Retry-After ${retryAfterS}`
  return [`\`${reason}\``, `${status}${later}`]
}

function followsOf({ ending, follows }: Met): string {
  return [follows, ending === undefined ? '' : `ending \`${ending}\``].filter(Boolean).join('; ')
}

/** The figure that a constant has in its file, with the unit that its name says. */
function figureOf(file: string, name: string): string {
  const text = readFileSync(join(SOURCES, file), 'utf8')
  const written = new RegExp(`^(?:export )?const ${name} = ([0-9_* ]+)$`, 'm').exec(text)?.[1]
  if (written === undefined) throw new Error(`docs/limits.md: src/${file} has no constant ${name}`)
  const factors = written.split('*').map((part) => Number(part.replaceAll('_', '')))
  const value = factors.reduce((product, factor) => product * factor, 1)
  if (name.endsWith('_MS')) return `${(value / 1_000).toLocaleString('en')} s`
  const unit = name.includes('BYTES') ? ' bytes' : name.endsWith('LENGTH_MAX') ? ' characters' : ''
  return `${value.toLocaleString('en')}${unit}`
}
