/**
 * Owns: the judgement on the first bytes of a tunnel: whether the TLS server name agrees with the host of
 * the CONNECT, and what follows where it does not. The stricter of the two names rules:
 *
 *   1. a server name that is blocked, or whose minutes are spent, ends the tunnel; no setting frees it
 *   2. a server name in a quota category is metered, also where the host of the CONNECT was not
 *   3. what contradicts, hides or leaves out the name follows `tunnels.*`: allow, log or refuse
 *   4. what begins as TLS and breaks off or is wrong, and a server name in which there is no host, ends the
 *      tunnel: no honest client says them, and some server might read in them what we cannot
 *
 * Never: reads bytes (proxy/hello.ts does), looks a name up, or frees what the CONNECT was refused for.
 */
import { decide, type Facts, refuse } from './decide.ts'
import { addressOfHost, HOST_LENGTH_MAX, type Host, type HostName, parseHost } from './host.ts'
import type { Labels, Policy, Tolerance, TunnelRules } from './policy.ts'
import type { Reason } from './reason.ts'
import type { HelloOutcome } from './record.ts'
import type { Verdict } from './verdict.ts'

/**
 * What the first bytes from a client were.
 * `tls`: a whole ClientHello. `serverName` is its host_name as it was sent, read as UTF-8, of any length up
 * to the hello's, or null; `encrypted` says that an encrypted one lies within (ECH, or GREASE for it).
 * `not-tls`: the first byte is of no TLS record. `malformed`: it is, and what comes breaks RFC 8446.
 * `incomplete`: it ended, or grew too long, before the hello was whole.
 */
export type Hello =
  | { readonly kind: 'tls'; readonly serverName: string | null; readonly encrypted: boolean }
  | { readonly kind: 'not-tls' | 'malformed' | 'incomplete' }

/** The CONNECT that opened the tunnel: what it was decided on, and the verdict, which let it in. */
export interface OpenedTunnel {
  readonly facts: Facts
  readonly verdict: Verdict
}

/** `facts` as they are now with `host` in place of their own: its labels, and its category's minutes. */
export type GatherNamed = (facts: Facts, host: Host) => Facts

export interface HelloJudgement {
  readonly outcome: HelloOutcome
  /** For the record: in normal form or made printable, at most HOST_LENGTH_MAX; empty: none was said. */
  readonly serverName: string
  /** What to count: that of `verdict` where there is one, else what `log` lets through. */
  readonly reason: Reason | null
  /** Not null: the tunnel is to be ended with it. Nothing of the hello need reach the origin. */
  readonly verdict: Verdict | null
  /** Not null: from now on the tunnel is metered, by these facts of the server name and their verdict. */
  readonly metered: { readonly facts: Facts; readonly verdict: Verdict } | null
  /** For the record: what the lists say of a server name that is another than the host; else null. */
  readonly labels: Labels | null
}

/** Where a tunnel that is not TLS is not as it should be; elsewhere other protocols may be spoken. */
const TLS_PORT = 443

/** A setting that speaks of this hello, and what it is called. */
interface Finding {
  readonly outcome: HelloOutcome
  readonly setting: Exclude<keyof TunnelRules, 'addressLiterals'>
  readonly reason: Reason
}

const MISMATCH: Finding = {
  outcome: 'mismatch',
  setting: 'mismatch',
  reason: 'server-name-mismatch',
}
const NAMELESS: Finding = {
  outcome: 'none',
  setting: 'noServerName',
  reason: 'server-name-missing',
}
const ENCRYPTED: Finding = {
  outcome: 'ech',
  setting: 'encryptedHello',
  reason: 'server-name-encrypted',
}
const NOT_TLS: Finding = { outcome: 'not-tls', setting: 'notTls', reason: 'tunnel-not-tls' }

/**
 * Judges `hello`, the first bytes of an allowed tunnel, under the policy in force. `gather` is called at
 * most once, and only for a server name that is another than the host of the CONNECT.
 *
 * An encrypted hello names in the open only who decrypts it; where that is the host of the CONNECT it
 * cannot be told from GREASE (RFC 9849 section 6.2), and is matched.
 */
export function judgeHello(
  policy: Policy,
  tunnel: OpenedTunnel,
  hello: Hello,
  gather: GatherNamed,
): HelloJudgement {
  const { facts } = tunnel
  if (hello.kind !== 'tls') return judgeOther(policy, facts, hello.kind)
  const { serverName, encrypted } = hello
  if (serverName === facts.host) return passed('matched', facts.host)
  if (serverName === null) return judgeNameless(policy, facts, encrypted)
  const name = hostOfServerName(serverName)
  if (name === null) return ended('mismatch', printableName(serverName), 'server-name-mismatch')
  if (!name.whole) {
    const shown = printableName(serverName)
    const finding = encrypted ? stricter(policy, ENCRYPTED, MISMATCH) : MISMATCH
    if (name.host === facts.host) return found(policy, finding, shown, false)
    return judgeNamed(policy, tunnel, gather(facts, name.host), { finding, shown })
  }
  if (name.host === facts.host) return passed('matched', facts.host)
  // An address contradicts no name; a name that is itself an address does (RFC 6066 section 3).
  const agrees = name.address === null && !encrypted && addressOfHost(facts.host) !== null
  const finding = agrees ? null : encrypted ? ENCRYPTED : MISMATCH
  return judgeNamed(policy, tunnel, gather(facts, name.host), { finding, shown: null })
}

/** The host that a server may read in a server name. */
export interface NamedHost extends HostName {
  /** The name is this host, and no more. */
  readonly whole: boolean
}

/**
 * The host in `serverName`, or null. Of a name that is none (`-x.bad.test`, `bad.test..`, `bad.test:443`) it
 * is the longest suffix of labels that is one, without port and dots at the end: servers choose by suffix,
 * and many cut those off. What follows a colon and is no port, and NUL, where some stop reading, make it
 * anything: there is no host in it.
 */
export function hostOfServerName(serverName: string): NamedHost | null {
  const proper = parseHost(serverName)
  if (typeof proper !== 'string') return { ...proper, whole: true }
  if (serverName.includes('\0')) return null
  const colon = serverName.indexOf(
    ':',
    serverName.startsWith('[') ? serverName.indexOf(']') + 1 : 0,
  )
  if (colon >= 0 && !/^\d*$/.test(serverName.slice(colon + 1))) return null
  let end = colon < 0 ? serverName.length : colon
  while (end > 0 && serverName[end - 1] === '.') end--
  for (let start = 0; start < end; ) {
    const name = parseHost(serverName.slice(start, end))
    // Numbers at the end of a name are no address.
    if (typeof name !== 'string' && (start === 0 || name.address === null)) {
      return { ...name, whole: false }
    }
    const dot = serverName.indexOf('.', start)
    if (dot < 0) return null
    start = dot + 1
  }
  return null
}

/** Only what begins as nothing of TLS may be another protocol, and follows the setting. */
function judgeOther(
  policy: Policy,
  { port, labels }: Facts,
  kind: Exclude<Hello['kind'], 'tls'>,
): HelloJudgement {
  if (kind !== 'not-tls') return ended(kind, '', 'tunnel-not-tls')
  if (port !== TLS_PORT) return passed('not-tls', '')
  return found(policy, NOT_TLS, '', labels.neverBlock)
}

/** Who asks for an address has no name to say (RFC 6066 section 3): `addressLiterals` has judged that. */
function judgeNameless(policy: Policy, facts: Facts, encrypted: boolean): HelloJudgement {
  if (addressOfHost(facts.host) !== null) return passed('none', '')
  // An honest encrypted hello has a name outside: one without is held to both settings.
  const finding = encrypted ? stricter(policy, ENCRYPTED, NAMELESS) : NAMELESS
  return found(policy, finding, '', facts.labels.neverBlock)
}

/**
 * A server name that is another host, or ends in one: first the rules of that, then `finding`. `shown` is
 * the name as the record has it, where that is not the host.
 */
function judgeNamed(
  policy: Policy,
  { facts, verdict }: OpenedTunnel,
  named: Facts,
  { finding, shown }: { readonly finding: Finding | null; readonly shown: string | null },
): HelloJudgement {
  const { labels } = named
  const serverName = shown ?? named.host
  // Whether an address may be asked for is a rule for the CONNECT; here it is a name like any other.
  const own = decide(addressOfHost(named.host) === null ? policy : withLiterals(policy), named)
  const outcome = finding?.outcome ?? 'matched'
  // Only what the name itself is refused for: the rest was decided when the tunnel was opened, and a
  // reload in between closes nothing.
  if (own.action === 'block' || own.action === 'spent') {
    return { outcome, serverName, reason: own.reason, verdict: own, metered: null, labels }
  }
  const free = shown === null && facts.labels.neverBlock && labels.neverBlock
  const judged =
    finding === null ? passed(outcome, serverName) : found(policy, finding, serverName, free)
  const metered =
    judged.verdict !== null || own.metered === null || verdict.metered !== null
      ? null
      : { facts: named, verdict: own }
  return { ...judged, metered, labels }
}

const withLiterals = (policy: Policy): Policy => ({
  ...policy,
  tunnels: { ...policy.tunnels, addressLiterals: 'allow' },
})

/** `free`: all that is named is never-block, and what is only odd about it is counted, not refused. */
function found(
  policy: Policy,
  { outcome, setting, reason }: Finding,
  serverName: string,
  free: boolean,
): HelloJudgement {
  const tolerance = policy.tunnels[setting]
  if (tolerance === 'allow') return passed(outcome, serverName)
  const refused = tolerance === 'refuse' && !free
  const verdict = refused ? refuse(reason, `tunnels.${setting}`) : null
  return { ...passed(outcome, serverName), reason, verdict }
}

function passed(outcome: HelloOutcome, serverName: string): HelloJudgement {
  return { outcome, serverName, reason: null, verdict: null, metered: null, labels: null }
}

/** Whatever the settings say. */
function ended(outcome: HelloOutcome, serverName: string, reason: Reason): HelloJudgement {
  return { ...passed(outcome, serverName), reason, verdict: refuse(reason, 'tunnels') }
}

const STRICTNESS: Readonly<Record<Tolerance, number>> = { allow: 0, log: 1, refuse: 2 }

/** Of two findings the one with the stricter setting; of equals the first. */
function stricter({ tunnels }: Policy, a: Finding, b: Finding): Finding {
  return STRICTNESS[tunnels[b.setting]] > STRICTNESS[tunnels[a.setting]] ? b : a
}

/**
 * A name that is no host, as text that can stand in a record: what is not printable ASCII is written out
 * (`\x00`, `\u202e`), and at HOST_LENGTH_MAX characters it is cut.
 */
function printableName(text: string): string {
  let name = ''
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const plain = code > 0x20 && code < 0x7f
    const hex = code.toString(16)
    name += plain
      ? text[i]
      : code < 256
        ? `\\x${hex.padStart(2, '0')}`
        : `\\u${hex.padStart(4, '0')}`
    if (name.length >= HOST_LENGTH_MAX) return `${name.slice(0, HOST_LENGTH_MAX - 1)}…`
  }
  return name
}
