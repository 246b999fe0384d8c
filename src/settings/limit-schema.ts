/**
 * Owns: the settings of what tunnels may be, and of every limit on what one client or origin may ask of us.
 * Never: compares one key with another; limit-rules.ts does.
 */
import { about, choice, duration, group, integer, size } from './fields.ts'

const TOLERANCE = ['allow', 'log', 'refuse'] as const

export const tunnelsSchema = group({
  addressLiterals: choice(['refuse', 'allow'])
    .prefault('refuse')
    .meta(
      about(
        'A tunnel (CONNECT) to an IP address instead of a name. What `addresses.allow` or a never-block list names is let through all the same.',
        'allow',
      ),
    ),
  mismatch: choice(TOLERANCE)
    .prefault('log')
    .meta(
      about(
        'A TLS server name other than the host of the CONNECT. A name that is blocked ends the tunnel whatever stands here. `log` counts it; the record says it in any case.',
        'refuse',
      ),
    ),
  noServerName: choice(TOLERANCE)
    .prefault('log')
    .meta(about('TLS without a server name.', 'refuse')),
  encryptedHello: choice(TOLERANCE)
    .prefault('log')
    .meta(
      about(
        'An encrypted client hello (ECH) whose outer name is not the host of the CONNECT. Browsers also send a meaningless one for show; that is never refused.',
        'refuse',
      ),
    ),
  notTls: choice(TOLERANCE)
    .prefault('refuse')
    .meta(
      about(
        'On port 443: a tunnel that begins as no TLS does, such as SSH. What begins as TLS and breaks off or is wrong ends the tunnel on every port, whatever stands here.',
        'log',
      ),
    ),
})

const limitKeys = group({
  head: size('1KiB', '1MiB', '64KiB')
    .prefault('64KiB')
    .meta(about('The head of a request or answer: first line and fields.')),
  requestLine: size('512B', '64KiB', '16KiB')
    .prefault('16KiB')
    .meta(about('The first line of a request: method, address and version.')),
  headFields: integer(8, 2_000, 200).prefault(200).meta(about('Fields in a head.')),
  headTimeout: duration('100ms', '5m', '15s')
    .prefault('15s')
    .meta(about('How long a client may take to send a head.')),
  idleTimeout: duration('100ms', '1h', '120s')
    .prefault('120s')
    .meta(about('How long a connection from a client is kept between requests.')),
  tunnelIdle: duration('100ms', '7d', '1h')
    .prefault('1h')
    .meta(about('How long a tunnel may be silent in both directions.')),
  tunnelLifetime: duration('1s', '30d', '24h')
    .prefault('24h')
    .meta(about('How long a tunnel may live in all.')),
  dialTimeout: duration('100ms', '5m', '10s')
    .prefault('10s')
    .meta(about('How long resolving and connecting to an origin may take together.')),
  originTimeout: duration('100ms', '1h', '120s')
    .prefault('120s')
    .meta(about('How long an origin may be silent, before its answer or within it.')),
  connections: integer(1, 1_000_000, 20_000)
    .prefault(20_000)
    .meta(about('Connections from clients at a time, for each proxy thread.')),
  connectionsPerAddress: integer(1, 1_000_000, 2_000)
    .prefault(2_000)
    .meta(about('Connections from one address (IPv6: one /64) at a time, over all threads.')),
  connectionsPerUser: integer(1, 1_000_000, 500)
    .prefault(500)
    .meta(about('Connections of one user who is known by name, at a time, over all threads.')),
  tunnels: integer(1, 1_000_000, 20_000)
    .prefault(20_000)
    .meta(about('Tunnels at a time, over all threads.')),
  failedLogins: integer(1, 100_000, 30)
    .prefault(30)
    .meta(
      about(
        'Wrong passwords from one address (IPv6: one /64) within `failedLoginsWithin`; then no new one is tried from it but one each time that its share of that has passed. Who has signed in already goes on, and a name that has not failed there may try once (docs/limits.md).',
      ),
    ),
  failedLoginsWithin: duration('10s', '24h', '5m')
    .prefault('5m')
    .meta(about('The time that `failedLogins` are counted over: after it all are forgotten.')),
  slowestBytes: integer(0, 1_000_000, 100)
    .prefault(100)
    .meta(
      about(
        'Bytes a second, over `slowestOver`, that a client must at least send of a body, or take of an answer that waits for it. 0: no limit.',
      ),
    ),
  slowestOver: duration('1s', '1h', '5m')
    .prefault('5m')
    .meta(about('The time that `slowestBytes` is an average over.')),
  poolPerOrigin: integer(0, 10_000, 256)
    .prefault(256)
    .meta(about('Idle connections kept to one origin, for each proxy thread.')),
  poolTotal: integer(0, 100_000, 4_096)
    .prefault(4_096)
    .meta(about('Idle connections kept to all origins, for each proxy thread.')),
  poolIdle: duration('100ms', '10m', '30s')
    .prefault('30s')
    .meta(about('How long an idle connection to an origin is kept.')),
  drain: duration('0s', '10m', '10s')
    .prefault('10s')
    .meta(about('How long a stop waits for open exchanges.')),
})

/** Every limit that may be set; docs/limits.md says what follows from each. */
export const limitsSchema = limitKeys.transform(
  ({ head, headTimeout, idleTimeout, tunnelIdle, dialTimeout, originTimeout, ...rest }) => {
    const { poolIdle, drain, requestLine, tunnelLifetime, ...others } = rest
    const { failedLoginsWithin, slowestBytes, slowestOver, ...counts } = others
    return {
      headBytes: head,
      requestLineBytes: requestLine,
      tunnelLifetimeMs: tunnelLifetime,
      failedLoginsWithinMs: failedLoginsWithin,
      slowestBytesPerSecond: slowestBytes,
      slowestOverMs: slowestOver,
      headTimeoutMs: headTimeout,
      idleTimeoutMs: idleTimeout,
      tunnelIdleMs: tunnelIdle,
      dialTimeoutMs: dialTimeout,
      originTimeoutMs: originTimeout,
      poolIdleMs: poolIdle,
      drainMs: drain,
      ...counts,
    }
  },
)

/** Limits of which others may be wrong: what the rules can still compare. */
export const limitShape = limitKeys.shape
