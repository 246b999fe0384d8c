/**
 * Owns: `sluss explain HOST`: what would be decided, what each rule says, which list and line know the host.
 * Never: decides by other rules than the gate's own.
 */
import type { Command } from 'commander'
import type { QuotaReport } from '../ledger/report.ts'
import { type Location, locate } from '../lists/locate.ts'
import { Lookup } from '../lists/lookup.ts'
import {
  type Address,
  type Carriage,
  contains,
  type Explanation,
  explain,
  type Facts,
  formatAddress,
  formatTime,
  type HelloJudgement,
  type Host,
  type Identified,
  noLabels,
  PORTAL_HOST,
  PORTAL_PORT,
  type Policy,
  parseAddress,
  parseTime,
  parseUserName,
  quotaCategoryOf,
  reasonEntry,
  type Zone,
  zoneOf,
} from '../policy/index.ts'
import type { Configuration } from '../service/configuration.ts'
import { printable, quoteValue } from '../settings/problems.ts'
import { type Asked, parseAsked } from './asked-host.ts'
import {
  endWithProblems,
  fail,
  globalOptions,
  loadConfiguration,
  print,
  printJson,
  table,
} from './context.ts'
import { callService } from './control.ts'
import { type Closed, closedOf, isOwn } from './explain-dial.ts'
import { helloHead, helloJson, helloRows, judgeAsked } from './explain-hello.ts'
import { imageInForce, placeText } from './lists-text.ts'

interface ExplainOptions {
  readonly user?: string
  readonly address?: string
  readonly at?: string
  readonly serverName?: string
}

export function register(program: Command): void {
  program
    .command('explain')
    .description('what would be decided for a host, by which rule, and why')
    .argument('<host>', 'a host, host:port, or an address as the browser shows it')
    .option('--user <name>', 'as this user')
    .option('--address <ip>', 'from this address')
    .option('--server-name <name>', `of a tunnel: with this name in its TLS hello; '' for none`)
    .option('--at <time>', 'at this time: 2026-03-14, 2026-03-14 10:00, or RFC 3339')
    .action((host: string, options: ExplainOptions, command: Command) =>
      explainHost(host, options, command),
    )
}

interface Asker {
  readonly address: Address
  /** Why this address, where none was given. */
  readonly assumed: string
  readonly zone: Zone | null
  readonly identified: Identified
}

async function explainHost(text: string, options: ExplainOptions, command: Command): Promise<void> {
  const configuration = loadConfiguration(command, Date.now())
  const policy = configuration.policyOf(1)
  const asked = parseAsked(text)
  const atMs = parseAt(options.at, policy)
  const asker = askerOf(options, policy, configuration)
  const image = await imageInForce(configuration)
  if (!image.ok) return endWithProblems(image.problems)
  const buffer = image.built.image
  const labels = noLabels()
  new Lookup(buffer).match(asked.name.host, labels)
  const { port } = asked
  const carriage = carriageOf(asked, configuration)
  const noPortal = carriage === 'portal' && configuration.settings.listen.portal.length === 0
  const known = { nowMs: atMs, fault: noPortal ? 'portal-absent' : null, carriage, port } as const
  const person = { zone: asker.zone, identified: asker.identified }
  const facts: Facts = { ...known, ...person, host: asked.name.host, labels, ...NO_MINUTES }
  const dated = options.at !== undefined
  const minutes = await minutesOf(facts, policy, configuration, dated)
  const whole = { ...facts, ...minutes }
  const account = explain(policy, whole)
  const locations = locate(buffer, asked.name.host)
  const allowed = account.verdict.action === 'allow'
  const closed =
    allowed && carriage !== 'portal'
      ? closedOf(asked, { settings: configuration.settings, policy, alarm: note })
      : null
  const { serverName } = options
  if (serverName !== undefined && asked.carriage !== 'connect') {
    fail('only a tunnel has a server name', 'ask about the host, or its https:// URL')
  }
  let hello: HelloJudgement | null = null
  if (serverName !== undefined && allowed && closed === null) {
    const { verdict } = account
    const gather = async (host: Host): Promise<Facts> => {
      const named = { ...facts, host, labels: noLabels() }
      new Lookup(buffer).match(host, named.labels)
      return { ...named, ...(await minutesOf(named, policy, configuration, dated)) }
    }
    hello = await judgeAsked({ policy, facts: whole, verdict, serverName, gather })
  }
  if (globalOptions(command).json) {
    const answer = jsonOf(text, whole, account, locations, asker)
    printJson({ ...answer, closed: closed?.why ?? null, hello: hello && helloJson(hello) })
    return
  }
  print(textOf(text, whole, account, locations, { asker, policy, dated, closed, hello }))
}

/** How what is `asked` is carried: what is asked of the gate itself goes to its portal. */
function carriageOf({ name, port, carriage }: Asked, { settings }: Configuration): Carriage {
  if (carriage !== 'http') return carriage
  const own = isOwn({ name, port, carriage }, settings)
  return own || (name.host === PORTAL_HOST && port === PORTAL_PORT) ? 'portal' : carriage
}

const NO_MINUTES = { minutesUsed: 0, minutesGiven: 0 }

function parseAt(text: string | undefined, policy: Policy): number {
  if (text === undefined) return Date.now()
  const ms = parseTime(policy.calendar, text)
  return (
    ms ??
    fail(`--at ${quoteValue(text)} is no time`, 'write 2026-03-14, "2026-03-14 10:00" or RFC 3339')
  )
}

function askerOf(options: ExplainOptions, policy: Policy, configuration: Configuration): Asker {
  const { address, assumed } = addressOf(options, policy)
  const zone = zoneOf(policy, address)
  const identified = identifiedOf(options, zone, address, configuration)
  return { address, assumed, zone, identified }
}

/** The address given; else the first of a zone that such a user would be in. */
function addressOf(
  { address: text, user }: ExplainOptions,
  policy: Policy,
): { address: Address; assumed: string } {
  if (text !== undefined) {
    const address = parseAddress(text)
    return address === null
      ? fail(`--address ${quoteValue(text)} is no IP address`, 'write it as 10.1.2.3')
      : { address, assumed: '' }
  }
  const fits = (zone: Zone) =>
    user !== undefined
      ? zone.identify.includes('basic')
      : zone.networks.some((network) => contains(network, LOOPBACK))
  const zone = policy.zones.find(fits) ?? policy.zones[0]!
  const words = user === undefined && fits(zone) ? LOOPBACK.words : zone.networks[0]!.words
  return { address: { words }, assumed: `assumed, in zone ${zone.name}; --address IP for another` }
}

const LOOPBACK: Address = parseAddress('127.0.0.1')!

function identifiedOf(
  { user: text }: ExplainOptions,
  zone: Zone | null,
  address: Address,
  { users }: Configuration,
): Identified {
  if (text !== undefined) {
    const user = parseUserName(text)
    if (user === null) return fail(`--user ${quoteValue(text)} is no user name`)
    return { known: true, identity: { kind: 'user', user, groups: users?.get(user)?.groups ?? [] } }
  }
  const scheme = zone?.identify.find((one) => one !== 'basic')
  if (zone === null || scheme === undefined) return { known: false, reason: 'credentials-missing' }
  const user = scheme === 'network' ? zone.name : formatAddress(address)
  return {
    known: true,
    identity: { kind: scheme === 'network' ? 'network' : 'address', user, groups: [] },
  }
}

/** Minutes used today, from the service where one runs; at another time nothing is counted as used. */
async function minutesOf(
  facts: Facts,
  policy: Policy,
  { settings }: Configuration,
  dated: boolean,
): Promise<typeof NO_MINUTES> {
  const category = quotaCategoryOf(policy, facts.labels)
  if (dated || category === null || !facts.identified.known || facts.zone === null)
    return NO_MINUTES
  const { user } = facts.identified.identity
  const request = { command: 'quota.list', user }
  const report = await callService<QuotaReport>(settings.state, request).catch(() => null)
  const row = report?.rows.find(
    (one) => one.zone === facts.zone?.name && one.category === category.name,
  )
  return row === undefined ? NO_MINUTES : { minutesUsed: row.used, minutesGiven: row.given }
}

function jsonOf(
  text: string,
  facts: Facts,
  { verdict, rules }: Explanation,
  lists: readonly Location[],
  { address }: Asker,
): object {
  const { host, port, carriage, zone, identified, nowMs, minutesUsed, minutesGiven } = facts
  const client = identified.known ? identified.identity : null
  return {
    asked: text,
    host,
    port,
    carriage,
    address: formatAddress(address),
    zone: zone?.name ?? null,
    user: client?.user ?? null,
    groups: client?.groups ?? [],
    time: new Date(nowMs).toISOString(),
    minutesUsed,
    minutesGiven,
    verdict: { ...verdict, status: reasonEntry(verdict.reason).status },
    rules,
    lists,
  }
}

interface Surroundings {
  readonly asker: Asker
  readonly policy: Policy
  readonly dated: boolean
  /** Why nobody gets to what the rules allow, or null. */
  readonly closed: Closed | null
  /** On the server name that was asked about, or null. */
  readonly hello: HelloJudgement | null
}

function textOf(
  text: string,
  facts: Facts,
  { verdict, rules }: Explanation,
  locations: readonly Location[],
  { asker, policy, dated, closed, hello }: Surroundings,
): string {
  const { identified, zone, host, port, carriage, nowMs } = facts
  const entry = reasonEntry(verdict.reason)
  const who = identified.known ? identified.identity : null
  const lists = distinct(locations).map(placeText)
  const counted = hello?.metered?.facts ?? facts
  const category = quotaCategoryOf(policy, counted.labels)
  // The record says this in place of the verdict on the CONNECT.
  const named = hello?.verdict ?? hello?.metered?.verdict ?? null
  const { status } = closed === null ? entry : reasonEntry(closed.reason)
  const head = [
    named !== null
      ? helloHead(named)
      : closed !== null
        ? closedHead(closed)
        : [
            `${verdict.action.toUpperCase()}: ${entry.en.title}`,
            `${verdict.reason}, by ${verdict.rule}`,
          ],
  ]
  const about = [
    ['host', host === text ? host : `${host} (from ${text})`],
    ['request', `${carriage === 'connect' ? 'CONNECT' : 'http'}, port ${port}`],
    ['address', [formatAddress(asker.address), asker.assumed].filter(Boolean).join(' – ')],
    ['zone', zone?.name ?? 'none'],
    ['user', who === null ? 'not known' : [who.user, ...who.groups].join(', ')],
    ['time', `${formatTime(policy.calendar.timezone, nowMs)}`],
    ['listed', lists[0] ?? 'nowhere'],
    ...lists.slice(1).map((line) => ['', line]),
  ]
  if (category !== null) {
    const { minutesUsed, minutesGiven } = counted
    const used = dated ? 'not counted at another time' : `${minutesUsed} used`
    about.push(['minutes', `${used}, of ${category.minutes + minutesGiven} a day`])
  }
  if (closed !== null) about.push(['dial', closed.why])
  if (hello !== null) about.push(...helloRows(hello))
  if (status !== 0) about.push(['the client sees', `status ${status}`])
  const says = rules.map((rule) => [
    rule.wins ? '→' : ' ',
    rule.rule,
    rule.verdict === null
      ? `– ${rule.silence}`
      : `${rule.verdict.action}: ${rule.verdict.reason}, ${rule.verdict.rule}${decisionOf(rule.verdict.decision)}`,
  ])
  return [table(head), '', table(about), '', table(says)].join('\n')
}

function closedHead({ reason }: Closed): string[] {
  const { action, en } = reasonEntry(reason)
  return [`${action.toUpperCase()}: ${en.title}`, `${reason}, though the rules allow it`]
}

/** Of a file of the system that cannot be read: the answer is given without it. */
function note(what: string, hint: string): void {
  process.stderr.write(`${printable(`warning: ${what}; ${hint}`)}\n`)
}

/** A background host stands in two lists of its platform by one line: the one that says so is enough. */
function distinct(locations: readonly Location[]): Location[] {
  return locations.filter(
    (one) =>
      !locations.some(
        (other) =>
          other.domain === one.domain &&
          other.line === one.line &&
          other.list.startsWith(`${one.list} (`),
      ),
  )
}

function decisionOf(decision: { by: string; dnr: string; date: string } | null): string {
  const parts = [decision?.by, decision?.dnr, decision?.date].filter(Boolean)
  return parts.length === 0 ? '' : ` (decision: ${parts.join(', ')})`
}
