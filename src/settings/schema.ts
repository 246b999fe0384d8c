/**
 * Owns: the settings: every key of sluss.yaml, what it takes, its default, and what it is for. The loader,
 * `./sluss check`, the JSON Schema for editors, docs/settings.md and the help all come from here.
 * Never: reads a file, or compares one key with another; rules.ts does that.
 *
 * Text becomes its normalised form on the way in: durations are milliseconds and sizes bytes, with the unit
 * last in the name. Paths stay as written here; load.ts makes them absolute.
 */
import { z } from 'zod'
import { MINUTES_MAX } from '../policy/index.ts'
import {
  about,
  choice,
  clockTime,
  date,
  duration,
  group,
  integer,
  line,
  list,
  name,
  oneOrMany,
  path,
  size,
  timezone,
} from './fields.ts'
import { limitsSchema, tunnelsSchema } from './limit-schema.ts'
import { listsSchema, updatesSchema } from './list-schema.ts'
import {
  address,
  allowedAddress,
  dnsServer,
  endpoint,
  hostName,
  network,
  port,
} from './network-fields.ts'

export const SETTINGS_VERSION = 1

const LIST_URL_HINT = 'write it as url in lists, at the top level'
const SCHEMES = ['basic', 'address', 'network'] as const

export const listenSchema = group({
  proxy: oneOrMany(endpoint('127.0.0.1:3128'), 'endpoints', 1)
    .prefault('127.0.0.1:3128')
    .meta(
      about('Where browsers reach the proxy. Port 0 lets the system pick one.', '10.1.2.3:3128'),
    ),
  portal: oneOrMany(endpoint('127.0.0.1:3180'), 'endpoints')
    .prefault([])
    .meta(
      about(
        'Where the portal is reached. Empty: there is none. From the next start.',
        '10.1.2.3:3180',
      ),
    ),
})

export const zoneSchema = group({
  name: name('office').meta(
    about('What the zone is called in the log and in `explain`.', 'office'),
  ),
  networks: oneOrMany(network('10.0.0.0/8'), 'CIDR networks', 1).meta(
    about('The addresses that belong to it. A lone address is a network of one.', ['10.0.0.0/8']),
  ),
  identify: oneOrMany(choice(SCHEMES), 'ways (basic, address or network)', 1).meta(
    about(
      '`basic` asks for a user name and password; `address` takes each address for a user; `network` takes the whole zone for one.',
      'basic',
    ),
  ),
  quota: choice(['minutes', 'none'])
    .prefault('minutes')
    .meta(about('`none`: nothing is metered here, as in the schools.', 'none')),
})

const decision = group({
  by: line('Kommunchefen').prefault('').meta(about('Who decided.', 'Kommunchefen')),
  dnr: line('KS 2026/1').prefault('').meta(about('The diary number.', 'KS 2026/1')),
  date: z
    .union([z.literal(''), date('2026-01-31')], { error: 'a date such as 2026-01-31' })
    .prefault('')
    .meta(about('When it was decided.', '2026-01-31')),
})

const categoryKeys = group({
  action: choice(['block', 'quota', 'allow']).meta(
    about('`block` refuses, `quota` meters, `allow` only records that it was visited.', 'block'),
  ),
  lists: oneOrMany(path('lists/porn.txt', LIST_URL_HINT), 'paths')
    .prefault([])
    .meta(
      about('Files or folders of domains, packed or not, in any format that there is.', [
        'lists/porn.txt',
      ]),
    ),
  minutes: integer(0, MINUTES_MAX, 60)
    .optional()
    .meta({
      ...about('Minutes a user has in a local day. Only with `action: quota`.', 60),
      ...{ fallback: 60 },
    }),
  platforms: z
    .union([z.enum(['all', 'none']), list(z.string({ error: 'a name' }), 'platform names')], {
      error: 'all, none or a list of platform names',
    })
    .optional()
    .meta({
      ...about(
        'The platforms that belong to it; `all` is every one that platforms.yaml does not mark optional. Only with `action: quota`.',
        'all',
      ),
      ...{ fallback: 'none', kind: 'all, none or a list of platform names' },
    }),
  decision: decision
    .optional()
    .meta(about('Whose decision it is, as it stands in the log and on the refusal page.')),
})

const categorySchema = categoryKeys.transform(
  ({ action, lists, minutes = 60, platforms = 'none' as const, decision = null }) =>
    action === 'quota'
      ? { action, lists, decision, minutes, platforms }
      : { action, lists, decision },
)

const quota = group({
  threshold: size('1B', '1MiB', '16KiB')
    .prefault('16KiB')
    .meta(about('A minute counts when the metered connections moved this much in it.')),
  grace: duration('0s', '10m', '30s')
    .prefault('30s')
    .meta(about('How long an open tunnel lives on when the last minute is spent.')),
  users: integer(16, 200_000, 20_000)
    .prefault(20_000)
    .meta(about('Users whose minutes are kept in memory at a time. From the next start.')),
  retention: duration('2d', '3650d', '31d')
    .prefault('31d')
    .meta(about('How long the minutes of past days are kept on disk.')),
}).transform(({ threshold, grace, users, retention }) => ({
  thresholdBytes: threshold,
  graceMs: grace,
  users,
  retentionMs: retention,
}))

const day = group({
  timezone: timezone('Europe/Stockholm')
    .prefault('Europe/Stockholm')
    .meta(about('The zone that days and printed times are in.')),
  starts: clockTime('00:00')
    .prefault('00:00')
    .meta(about('When a new day of minutes begins. In quotes.', '04:00')),
}).transform(({ timezone, starts }) => ({ timezone, startsMinute: starts }))

const log = group({
  retention: duration('1d', '3650d', '90d')
    .prefault('90d')
    .meta(about('How long records are kept before they are weeded (gallring).')),
  identities: choice(['pseudonym', 'name'])
    .prefault('pseudonym')
    .meta(about('How users stand in the log: under a pseudonym, or by name.')),
  paths: choice(['never', 'refused', 'always'])
    .prefault('never')
    .meta(
      about(
        'When the path of a plain HTTP request is kept; never its query, never of HTTPS.',
        'refused',
      ),
    ),
  onFailure: choice(['refuse', 'continue'])
    .prefault('refuse')
    .meta(
      about(
        'When the log cannot be written: refuse traffic, or go on with a visible gap in the log.',
      ),
    ),
  unacknowledged: integer(100, 1_000_000, 50_000)
    .prefault(50_000)
    .meta(
      about('Records a proxy thread holds that are not yet on disk; then `onFailure` decides.'),
    ),
}).transform(({ retention, ...rest }) => ({ retentionMs: retention, ...rest }))

const dnsKeys = group({
  servers: oneOrMany(dnsServer('10.1.2.3'), 'DNS servers')
    .prefault([])
    .meta(
      about('Servers that are asked for the names of origins. Empty: those of /etc/resolv.conf.', [
        '10.1.2.3',
        '10.1.2.4',
      ]),
    ),
  shortest: duration('1s', '10m', '1s')
    .prefault('1s')
    .meta(about('An answer is kept at least so long, whatever its time to live.', '5s')),
  longest: duration('1s', '7d', '1h')
    .prefault('1h')
    .meta(about('An answer is kept at most so long, whatever its time to live.')),
  negative: duration('1s', '1h', '10s')
    .prefault('10s')
    .meta(about('How long it is remembered that a name is not there.')),
  hosts: z
    .record(hostName('intranet.kommun.se'), oneOrMany(address('10.1.2.3'), 'IP addresses', 1), {
      error: 'a group of addresses by host name',
    })
    .prefault({})
    .meta({
      ...about('Fixed addresses of hosts, asked before /etc/hosts and the servers.', {
        'intranet.kommun.se': '10.1.2.3',
      }),
      ...{ kind: 'IP addresses by host name' },
    }),
})

const dns = dnsKeys.transform(({ shortest, longest, negative, ...rest }) => ({
  shortestMs: shortest,
  longestMs: longest,
  negativeMs: negative,
  ...rest,
}))

export const settingsSchema = group({
  version: z
    .literal(SETTINGS_VERSION, { error: `${SETTINGS_VERSION}, the only version there is` })
    .meta({
      ...about('The version of this file; later versions of Sluss read older files.', 1),
      ...{ kind: 'number' },
    }),
  state: path('../var')
    .prefault('../var')
    .meta(
      about(
        'Folder for databases, images and keys; created readable by its owner only. From the next start.',
      ),
    ),
  listen: listenSchema.prefault({}).meta(about('Where Sluss listens.')),
  threads: z
    .union([z.literal('auto'), integer(1, 64, 2)], { error: 'auto or a whole number from 1 to 64' })
    .prefault('auto')
    .meta({
      ...about('Proxy threads; `auto` is one for each processor. From the next start.', 2),
      ...{ kind: 'auto, or a whole number, 1 to 64' },
    }),
  zones: list(zoneSchema, 'zones', 1).meta(
    about(
      'The parts of the network. The first that holds an address wins; an address in none is refused.',
    ),
  ),
  identity: group({
    basic: group({
      users: path('users.txt')
        .nullable()
        .prefault(null)
        .meta(
          about(
            'File of users, passwords (hashed) and groups, for `identify: basic`.',
            'users.txt',
          ),
        ),
    })
      .prefault({})
      .meta(about('User name and password.')),
  })
    .prefault({})
    .meta(about('How people are identified.')),
  categories: z
    .record(name('gambling'), categorySchema, { error: 'a group of categories by name' })
    .prefault({})
    .meta(about('Kinds of site. At most 32; where several say block, the first gives the reason.')),
  platforms: path('platforms.yaml')
    .nullable()
    .prefault(null)
    .meta(about('File of the platforms that quota categories are made of.', 'platforms.yaml')),
  neverBlock: oneOrMany(path('lists/never-block.txt', LIST_URL_HINT), 'paths')
    .prefault([])
    .meta(
      about('Files of hosts that are never refused and never metered.', ['lists/never-block.txt']),
    ),
  lists: listsSchema,
  updates: updatesSchema,
  exemptions: path('exemptions.yaml')
    .nullable()
    .prefault(null)
    .meta(about('File of the register: who is exempt from which limits.', 'exemptions.yaml')),
  quota: quota.prefault({}).meta(about('How minutes are counted.')),
  day: day.prefault({}).meta(about('The local day.')),
  ports: group({
    connect: oneOrMany(port(), 'ports')
      .prefault([443])
      .meta(about('Ports that a tunnel (CONNECT, HTTPS) may be opened to.', [443, 8443])),
    http: oneOrMany(port(), 'ports')
      .prefault([80, 8080])
      .meta(about('Ports that plain HTTP may go to.', [80])),
  })
    .prefault({})
    .meta(about('Ports of origins. All others are refused.')),
  addresses: group({
    allow: oneOrMany(allowedAddress('10.1.0.0/16'), 'addresses or networks')
      .prefault([])
      .meta(
        about(
          'Private addresses that may be reached all the same: an internal web server. With a port, only that port.',
          ['10.1.2.3:443'],
        ),
      ),
  })
    .prefault({})
    .meta(about('Addresses of origins. Private, loopback and link-local ones are refused.')),
  tunnels: tunnelsSchema
    .prefault({})
    .meta(about('What tunnels (CONNECT, HTTPS) may be, beside what their host says.')),
  dns: dns.prefault({}).meta(about('Names of origins.')),
  log: log.prefault({}).meta(about('The traffic log.')),
  limits: limitsSchema
    .prefault({})
    .meta(about('Bounds on what one client or origin may ask of us.')),
})

/** The settings as the program uses them: defaults filled in, units in the names, paths absolute. */
export type Settings = z.output<typeof settingsSchema>
export type ZoneSettings = Settings['zones'][number]
export type CategorySettings = Settings['categories'][string]

/** A category whose other keys may be wrong: what the rules can still compare. */
export const categoryShape = categoryKeys.shape
export const dnsShape = dnsKeys.shape
