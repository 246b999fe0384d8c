/**
 * Owns: a small municipality for a test: three origins, a Sluss before them, names, lists, zones.
 * Never: uses a name that exists: everything ends in .test (RFC 6761).
 */
import { formatUser, hashPassword } from '../../../src/identity/index.ts'
import type { UserName } from '../../../src/policy/index.ts'
import { type Certificate, makeCertificate, type Origin, startEcho, startOrigin } from './origin.ts'
import { Sluss } from './sluss.ts'

export const NAMES = [
  'news.test',
  'www.news.test',
  'notbad.test',
  'xn--bcher-kva.test',
  'bad.test',
  'www.bad.test',
  'bets.test',
  'hate.test',
  'face.test',
  'cdn.face.test',
  'widget.face.test',
  'gram.test',
  'help.test',
] as const

/** Source addresses on loopback that lie in each zone. */
export const FROM = {
  local: '127.0.0.1',
  office: '127.0.2.1',
  schools: '127.0.5.1',
  none: '127.0.9.1',
}

export const USER = { name: 'anna.andersson', password: 'Sommar-2026', groups: 'kommunikatorer' }

export interface TownOptions {
  readonly atMs?: number
  readonly threads?: number
  readonly launcher?: boolean
  /** The register, as YAML. */
  readonly exemptions?: string
  /** Settings beyond the usual ones, as YAML of further top-level keys. */
  readonly more?: string
  readonly quota?: string
  /** Further settings of `dns`, a line each. */
  readonly dns?: readonly string[]
  /** Private addresses that may be reached; loopback where it is left out. */
  readonly allow?: readonly string[]
  /** Ports of further origins, for tunnels and plain HTTP both. */
  readonly ports?: readonly number[]
  /** Further files beside the settings, or others in place of the usual ones. */
  readonly files?: Readonly<Record<string, string>>
  readonly start?: boolean
}

export interface Town {
  readonly sluss: Sluss
  readonly http: Origin
  readonly https: Origin
  readonly echo: Origin
  readonly certificate: Certificate
  /** Writes the settings anew, with these options; they are in force a moment later. */
  rewrite(options: TownOptions): void
  close(): Promise<void>
}

export async function buildTown(options: TownOptions = {}): Promise<Town> {
  const certificate = makeCertificate(NAMES)
  const [http, https, echo] = await Promise.all([
    startOrigin(),
    startOrigin(certificate),
    startEcho(),
  ])
  const hash = await hashPassword(USER.password)
  const groups = [USER.groups as UserName]
  const sluss = new Sluss({
    settings: settingsOf({ http, https, echo }, options),
    files: {
      'lists/porn.txt': '# a list\nbad.test\n',
      'lists/racism.txt': 'hate.test\n',
      'lists/gambling.txt': 'bets.test\nhelp.test\n',
      'lists/never-block.txt': 'help.test\n',
      'platforms.yaml': PLATFORMS,
      'exemptions.yaml': options.exemptions ?? '[]\n',
      'users.txt': `${formatUser(USER.name as UserName, { hash, groups })}\n`,
      ...options.files,
    },
  })
  if (options.start !== false) await sluss.start(options)
  return {
    sluss,
    http,
    https,
    echo,
    certificate,
    rewrite: (changed) => sluss.write('sluss.yaml', settingsOf({ http, https, echo }, changed)),
    close: async () => {
      await sluss.remove()
      await Promise.all([http.close(), https.close(), echo.close()])
    },
  }
}

const PLATFORMS = `face:
  title: Face
  domains: [face.test]
  background: [widget.face.test]
gram:
  title: Gram
  domains: [gram.test]
`

function settingsOf(
  { http, https, echo }: { http: Origin; https: Origin; echo: Origin },
  options: TownOptions,
): string {
  const { more = '', quota = '{ threshold: 1KiB, grace: 2s }', ports = [] } = options
  const { dns = [] } = options
  const { allow = ['127.0.0.0/8', '::1/128'] } = options
  return `version: 1
listen:
  proxy: 127.0.0.1:0
  portal: 127.0.0.1:0
zones:
  - { name: schools, networks: [127.0.5.0/24], identify: network, quota: none }
  - { name: office, networks: [127.0.2.0/24], identify: [basic] }
  - { name: local, networks: [127.0.0.0/24, "::1/128"], identify: address }
identity:
  basic: { users: users.txt }
categories:
  porn:
    action: block
    lists: [lists/porn.txt]
    decision: { by: Kommunstyrelsen, dnr: KS 2026/17, date: 2026-02-03 }
  racism: { action: block, lists: [lists/racism.txt] }
  gambling: { action: block, lists: [lists/gambling.txt] }
  social: { action: quota, minutes: 60, platforms: all }
platforms: platforms.yaml
neverBlock: lists/never-block.txt
exemptions: exemptions.yaml
quota: ${quota}
ports:
  connect: [${[https.port, echo.port, http.port, ...ports].join(', ')}]
  http: [${[http.port, ...ports].join(', ')}]
addresses: { allow: ${JSON.stringify(allow)} }
dns:
${dns.map((line) => `  ${line}\n`).join('')}  hosts:
${NAMES.map((name) => `    ${name}: 127.0.0.1`).join('\n')}
log: { identities: name }
${more}
`
}
