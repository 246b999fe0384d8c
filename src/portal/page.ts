/**
 * Owns: the portal's page: who you are to the gate, and your minutes today, in Swedish or English.
 * Never: needs a script, or anything from another host.
 */
import { escapeHtml, languageOf, PORTAL_HOST } from '../policy/index.ts'

export interface WhoAmI {
  /** Null: the address is in no zone. */
  readonly zone: string | null
  readonly address: string
  /** How the gate knows people in this zone. */
  readonly identify: readonly string[]
  /** The name they have signed in with; null: with none, or none that this page can see. */
  readonly user: string | null
  /** Null: nothing is metered here, or it is not known whose minutes they are. */
  readonly minutes: {
    readonly category: string
    readonly used: number
    readonly limit: number
    /** `2026-11-22 00:00`, local. */
    readonly returns: string
  } | null
}

const WORDS = {
  sv: {
    title: 'Internet hos oss',
    address: 'Din dators adress',
    zone: 'Del av nätet',
    unknown: 'okänd: härifrån når du inte internet',
    identify: 'Så vet vi vem du är',
    user: 'Användare',
    nobody:
      'Du är inte inloggad. Webbläsaren frågar efter namn och lösenord när du öppnar en webbplats.',
    elsewhere: 'Vem du är syns bara genom proxyn. Öppna i webbläsaren:',
    basic: 'användarnamn och lösenord',
    byAddress: 'datorns adress',
    network: 'bara vilken del av nätet du är i',
    social: 'sociala medier',
    used: (kind: string) => `Minuter för ${kind} i dag`,
    of: 'av',
    returns: 'Nya minuter',
    rule:
      'En minut räknas när dina enheter under den har utbytt mer än en liten mängd data med de ' +
      'plattformar som räknas; flera flikar och enheter samtidigt räknas en gång.',
  },
  en: {
    title: 'The internet here',
    address: "Your computer's address",
    zone: 'Part of the network',
    unknown: 'unknown: from here you do not reach the internet',
    identify: 'How we know who you are',
    user: 'User',
    nobody: 'You have not signed in. Your browser asks for name and password when you open a site.',
    elsewhere: 'Who you are is seen only through the proxy. Open in your browser:',
    basic: 'user name and password',
    byAddress: "the computer's address",
    network: 'only which part of the network you are in',
    social: 'social media',
    used: (kind: string) => `Minutes of ${kind} today`,
    of: 'of',
    returns: 'New minutes',
    rule:
      'A minute counts when, in it, your devices exchanged more than a little data with the metered ' +
      'platforms; parallel tabs and devices count once.',
  },
} as const

const STYLE = `:root{color-scheme:light dark}
body{font:1.125rem/1.5 system-ui,sans-serif;max-width:38rem;margin:3rem auto;padding:0 1rem}
h1{font-size:1.6rem}dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.2rem}
dt{font-weight:600}dd{margin:0;overflow-wrap:anywhere}meter{width:100%;height:1.2rem}
@media(max-width:32rem){dl{display:block}dd{margin-bottom:.5rem}}`

/** `throughGate`: they came through the proxy, which knows who has signed in. */
export function portalPage(who: WhoAmI, acceptLanguage: string, throughGate: boolean): string {
  const language = languageOf(acceptLanguage)
  const words = WORDS[language]
  const schemes = who.identify
    .map((scheme) =>
      scheme === 'basic' ? words.basic : scheme === 'network' ? words.network : words.byAddress,
    )
    .join(', ')
  const rows: [string, string][] = [
    [words.address, who.address],
    [words.zone, who.zone ?? words.unknown],
  ]
  if (schemes !== '') rows.push([words.identify, schemes])
  if (who.user !== null) rows.push([words.user, who.user])
  const { minutes } = who
  // A category of the municipality's own is called as the settings call it.
  const kind = minutes?.category === 'social' ? words.social : (minutes?.category ?? '')
  const used = words.used(kind)
  if (minutes !== null) {
    rows.push([used, `${minutes.used} ${words.of} ${minutes.limit}`])
    rows.push([words.returns, minutes.returns])
  }
  const list = rows
    .map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`)
    .join('\n')
  const meter =
    minutes === null
      ? ''
      : `<meter min="0" max="${minutes.limit}" value="${minutes.used}" aria-label="${escapeHtml(used)}"></meter>
<p>${words.rule}</p>`
  const url = `http://${PORTAL_HOST}/`
  const unseen = who.user === null && who.identify.includes('basic')
  const hint = throughGate ? words.nobody : `${words.elsewhere} <a href="${url}">${url}</a>`
  return `<!doctype html>
<html lang="${language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${words.title} – Sluss</title><style>${STYLE}</style></head>
<body><main><h1>${words.title}</h1>
<dl>
${list}
</dl>
${unseen ? `<p>${hint}</p>\n` : ''}${meter}</main></body></html>
`
}
