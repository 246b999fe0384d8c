/**
 * Owns: the page that a person sees instead of a site: words in Swedish or English, no outside resource.
 * Never: decides the words of a reason; policy/reason.ts has them.
 */
import type { DecisionReference, Language, ReasonEntry } from '../policy/index.ts'
import { escapeHtml } from '../policy/index.ts'

export interface PageFacts {
  readonly language: Language
  readonly entry: ReasonEntry
  readonly reason: string
  readonly host: string
  /** Name of the category, or empty. */
  readonly category: string
  readonly decision: DecisionReference | null
  readonly user: string
  /** Of `spent`: minutes used today, and when the next day starts, as people write it. */
  readonly minutes: { readonly used: number; readonly returns: string } | null
}

const WORDS = {
  sv: {
    site: 'Webbplats',
    category: 'Kategori',
    decision: 'Beslut',
    user: 'Användare',
    used: 'Minuter i dag',
    returns: 'Nya minuter',
    code: 'Kod',
    spent:
      'Behöver du sidan i arbetet? Fråga din chef: undantag förs in i registret och gäller genast.',
    block:
      'Är sidan fel bedömd? Säg det till IT-supporten: listan kan rättas och beslutet omprövas.',
  },
  en: {
    site: 'Site',
    category: 'Category',
    decision: 'Decision',
    user: 'User',
    used: 'Minutes today',
    returns: 'New minutes',
    code: 'Code',
    spent:
      'Do you need it for your work? Ask your manager: an exemption holds as soon as it is entered.',
    block:
      'Is it judged wrongly? Tell IT support: the list can be mended and the decision reconsidered.',
  },
} as const

/** Categories that ship with Sluss, as people call them. */
const CATEGORY_TITLES: Readonly<Record<string, Readonly<Record<Language, string>>>> = {
  porn: { sv: 'pornografi', en: 'pornography' },
  racism: { sv: 'rasism', en: 'racism' },
  gambling: { sv: 'spel om pengar', en: 'gambling' },
  evasion: { sv: 'kringgående av filtret', en: 'ways round the filter' },
  social: { sv: 'sociala medier', en: 'social media' },
}

export function categoryTitle(name: string, language: Language): string {
  return Object.hasOwn(CATEGORY_TITLES, name) ? CATEGORY_TITLES[name]![language] : name
}

const STYLE = `:root{color-scheme:light dark}
body{font:1.125rem/1.5 system-ui,sans-serif;max-width:38rem;margin:3rem auto;padding:0 1rem}
h1{font-size:1.6rem;line-height:1.2;border-left:.4rem solid #a6192e;padding-left:.8rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.2rem}
dt{font-weight:600}dd{margin:0;overflow-wrap:anywhere}
@media(max-width:24rem){dl{display:block}dd{margin-bottom:.5rem}}`

export function refusalPage(facts: PageFacts): string {
  const { language, entry } = facts
  const words = WORDS[language]
  const text = entry[language]
  const rows = (
    [
      [words.site, facts.host],
      [words.category, facts.category === '' ? '' : categoryTitle(facts.category, language)],
      [words.decision, decisionLine(facts.decision)],
      [words.used, facts.minutes === null ? '' : String(facts.minutes.used)],
      [words.returns, facts.minutes?.returns ?? ''],
      [words.user, facts.user],
      [words.code, facts.reason],
    ] as const
  )
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`)
    .join('\n')
  const { action } = entry
  // An exemption lifts a quota, never a block.
  const next = action === 'spent' || action === 'block' ? `<p>${words[action]}</p>` : ''
  return `<!doctype html>
<html lang="${language}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(text.title)} – Sluss</title><style>${STYLE}</style></head>
<body><main><h1>${escapeHtml(text.title)}</h1>
<p>${escapeHtml(text.body)}</p>
<dl>
${rows}
</dl>
${next}</main></body></html>
`
}

function decisionLine(decision: DecisionReference | null): string {
  if (decision === null) return ''
  return [decision.by, decision.dnr, decision.date].filter((part) => part !== '').join(', ')
}
