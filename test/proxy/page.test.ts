/**
 * Owns: the refusal page as people see it, its language, and that nothing in it is taken for HTML.
 * Never: looks at a status line; refuse.test.ts does.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Language, REASONS, type Reason } from '../../src/policy/index.ts'
import { escapeHtml, languageOf } from '../../src/policy/language.ts'
import { categoryTitle, type PageFacts, refusalPage } from '../../src/proxy/page.ts'

const blocked: PageFacts = {
  language: 'sv',
  entry: REASONS['category-blocked'],
  reason: 'category-blocked',
  host: 'spel.example',
  category: 'gambling',
  decision: { by: 'Kommunstyrelsen', dnr: 'KS 2026/12', date: '2026-02-01' },
  user: 'anna.andersson',
  minutes: null,
}
const spent: PageFacts = {
  language: 'en',
  entry: REASONS['minutes-spent'],
  reason: 'minutes-spent',
  host: 'www.facebook.com',
  category: 'social',
  decision: null,
  user: 'anna.andersson',
  minutes: { used: 60, returns: '2026-03-30 00:00' },
}

describe('the whole page', () => {
  it('of a blocked site, in Swedish', () => {
    expect(refusalPage(blocked)).toMatchInlineSnapshot(`
      "<!doctype html>
      <html lang="sv"><head><meta charset="utf-8">
      <meta name="viewport" content="width=device-width,initial-scale=1">
      <title>Webbplatsen är stoppad – Sluss</title><style>:root{color-scheme:light dark}
      body{font:1.125rem/1.5 system-ui,sans-serif;max-width:38rem;margin:3rem auto;padding:0 1rem}
      h1{font-size:1.6rem;line-height:1.2;border-left:.4rem solid #a6192e;padding-left:.8rem}
      dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.2rem}
      dt{font-weight:600}dd{margin:0;overflow-wrap:anywhere}
      @media(max-width:24rem){dl{display:block}dd{margin-bottom:.5rem}}</style></head>
      <body><main><h1>Webbplatsen är stoppad</h1>
      <p>Kommunen har beslutat att stoppa den här sortens webbplatser.</p>
      <dl>
      <dt>Webbplats</dt><dd>spel.example</dd>
      <dt>Kategori</dt><dd>spel om pengar</dd>
      <dt>Beslut</dt><dd>Kommunstyrelsen, KS 2026/12, 2026-02-01</dd>
      <dt>Användare</dt><dd>anna.andersson</dd>
      <dt>Kod</dt><dd>category-blocked</dd>
      </dl>
      <p>Är sidan fel bedömd? Säg det till IT-supporten: listan kan rättas och beslutet omprövas.</p></main></body></html>
      "
    `)
  })
  it('of minutes that are spent, in English', () => {
    expect(refusalPage(spent)).toMatchInlineSnapshot(`
      "<!doctype html>
      <html lang="en"><head><meta charset="utf-8">
      <meta name="viewport" content="width=device-width,initial-scale=1">
      <title>Today&#39;s minutes are used – Sluss</title><style>:root{color-scheme:light dark}
      body{font:1.125rem/1.5 system-ui,sans-serif;max-width:38rem;margin:3rem auto;padding:0 1rem}
      h1{font-size:1.6rem;line-height:1.2;border-left:.4rem solid #a6192e;padding-left:.8rem}
      dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.2rem}
      dt{font-weight:600}dd{margin:0;overflow-wrap:anywhere}
      @media(max-width:24rem){dl{display:block}dd{margin-bottom:.5rem}}</style></head>
      <body><main><h1>Today&#39;s minutes are used</h1>
      <p>Your minutes for sites of this kind are used for today.</p>
      <dl>
      <dt>Site</dt><dd>www.facebook.com</dd>
      <dt>Category</dt><dd>social media</dd>
      <dt>Minutes today</dt><dd>60</dd>
      <dt>New minutes</dt><dd>2026-03-30 00:00</dd>
      <dt>User</dt><dd>anna.andersson</dd>
      <dt>Code</dt><dd>minutes-spent</dd>
      </dl>
      <p>Do you need it for your work? Ask your manager: an exemption holds as soon as it is entered.</p></main></body></html>
      "
    `)
  })
})

/** Any text, with more than its share of what HTML and Accept-Language read. */
const mark = fc.constantFrom(
  ...['<', '>', '&', '"', "'", '/', '</dd><script>', '" onload="x', '&lt;', '&#60;'],
  ...[',', ';', 'q=', 'en', 'sv'],
)
const letter = fc.nat(0xff_ff).map((code) => String.fromCharCode(code))
const anyText = fc.array(fc.oneof(mark, letter), { maxLength: 12 }).map((parts) => parts.join(''))

const TAG = /<(\/?)([a-z][a-z0-9]*)((?: [a-z-]+="[^"<>]*")*)>/g
/** Elements that HTML does not close. */
const VOID = new Set(['meta'])

/** The tags of `page`, in order; and `wrong` where they do not nest, or a `<` begins none. */
function tagsOf(page: string): string[] {
  const open: string[] = []
  let wrong = false
  const tags = [...page.matchAll(TAG)].map(([tag, slash, name]) => {
    if (slash === '/') wrong ||= open.pop() !== name
    else if (!VOID.has(name!)) open.push(name!)
    return tag
  })
  const begun = page.replace('<!doctype html>', '').split('<').length - 1
  return wrong || open.length > 0 || begun !== tags.length ? [...tags, 'wrong'] : tags
}

function unescapeHtml(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
}

/** The rows of the page: what each name says, in order. */
function valuesOf(page: string): string[] {
  return [...page.matchAll(/<dd>([^<]*)<\/dd>/g)].map((match) => unescapeHtml(match[1]!))
}

describe('HTML', () => {
  for (const reason of Object.keys(REASONS) as Reason[]) {
    for (const language of ['sv', 'en'] as const) {
      it(`${reason} in ${language}: a language, a title, one heading, and tags that nest`, () => {
        const page = refusalPage({ ...blocked, language, reason, entry: REASONS[reason] })
        const tags = tagsOf(page)
        const { title } = REASONS[reason][language]
        expect(page.startsWith('<!doctype html>\n')).toBe(true)
        expect(tags).not.toContain('wrong')
        expect(tags[0]).toBe(`<html lang="${language}">`)
        expect(tags.filter((tag) => tag === '<h1>')).toHaveLength(1)
        expect(page).toContain(`<title>${escapeHtml(title)} – Sluss</title>`)
        expect(tags.filter((tag) => /src=|href=|script/.test(tag))).toEqual([])
      })
    }
  }

  it('takes nothing that it is told for HTML, whatever it is told', () => {
    const hostile = anyText.map((text) => `${text}.`)
    const tags = tagsOf(refusalPage(blocked))
    expect(tags).not.toContain('wrong')
    fc.assert(
      fc.property(hostile, hostile, hostile, hostile, (host, user, by, category) => {
        const decision = { by, dnr: 'KS 1', date: '' }
        const page = refusalPage({ ...blocked, host, user, decision, category })
        const shown = [host, categoryTitle(category, 'sv'), `${by}, KS 1`, user, 'category-blocked']
        expect([...tagsOf(page), ...valuesOf(page)]).toEqual([...tags, ...shown])
      }),
      { numRuns: 500 },
    )
  })
})

describe('the rows', () => {
  function check(name: string, facts: Partial<PageFacts>, expected: string[]) {
    it(name, () => expect(valuesOf(refusalPage({ ...blocked, ...facts }))).toEqual(expected))
  }
  const bare = { host: '', user: '', category: '', decision: null }
  check('what is empty has no row', bare, ['category-blocked'])
  check('a category of the municipality itself', { ...bare, category: 'våld' }, [
    'våld',
    'category-blocked',
  ])
  check('a category named as an object has', { ...bare, category: 'constructor' }, [
    'constructor',
    'category-blocked',
  ])
  check('half a decision', { ...bare, decision: { by: '', dnr: 'KS 1', date: '' } }, [
    'KS 1',
    'category-blocked',
  ])
  check('no minute used', { ...bare, minutes: { used: 0, returns: '2026-01-02 00:00' } }, [
    '0',
    '2026-01-02 00:00',
    'category-blocked',
  ])
})

describe('what to do next', () => {
  function check(name: string, words: string, expected: Reason[]) {
    it(name, () => {
      const all = Object.keys(REASONS) as Reason[]
      const saying = all.filter((reason) =>
        refusalPage({ ...blocked, reason, entry: REASONS[reason] }).includes(words),
      )
      expect(saying).toEqual(expected)
    })
  }
  check('is to ask the manager, where an exemption may help', 'Fråga din chef', ['minutes-spent'])
  check('is to tell IT support of a wrong list', 'listan kan rättas', ['category-blocked'])
})

describe('languageOf', () => {
  function check(acceptLanguage: string, expected: Language) {
    it(`'${acceptLanguage}'`, () => expect(languageOf(acceptLanguage)).toBe(expected))
  }
  check('', 'sv')
  check('sv', 'sv')
  check('en', 'en')
  check('EN-gb', 'en')
  check('sv-SE,sv;q=0.9,en-US;q=0.8,en;q=0.7', 'sv')
  check('en;q=0.9, sv;q=0.8', 'en')
  check('en;q=0.8, sv;q=0.9', 'sv')
  check('en, sv', 'en')
  check('sv, en', 'sv')
  check('en;q=0.5, sv;q=0.5', 'en')
  check('en ; q=0.9 , sv ; q=0.8', 'en')
  check('EN;Q=0.9, sv;q=0.8', 'en')
  check('de, en;q=0.1', 'en')
  check('de', 'sv')
  check('*', 'sv')
  check('*, en;q=0.5', 'en')
  check('en;q=0', 'sv')
  check('en;q=0.000, sv;q=0.001', 'sv')
  check('eng', 'sv')
  check('english, sv;q=0.1', 'sv')
  check('en;q=, sv;q=0.1', 'sv')
  check('en;q=high, sv;q=0.1', 'sv')
  check('en;q=5, sv;q=0.1', 'sv')
  check('en;q=1.001, sv;q=0.1', 'sv')
  check('en;q=0.1234, sv;q=0.1', 'sv')
  check('en;q=0x1, sv;q=0.1', 'sv')
  check('en;q=Infinity, sv;q=0.1', 'sv')
  check('en;q=-1, sv;q=0', 'sv')
  check('en;level=1, sv;q=0.1', 'sv')
  check('en;q=1.000, sv;q=0.999', 'en')
  check(';;;,,,q=1', 'sv')

  it('gives one of the two, whatever it is given', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(['sv', 'en']).toContain(languageOf(text))
      }),
    )
  })
})

describe('escapeHtml', () => {
  it('leaves nothing that HTML reads, and loses nothing', () => {
    expect(escapeHtml(`a&<>"'b`)).toBe('a&#38;&#60;&#62;&#34;&#39;b')
    fc.assert(
      fc.property(anyText, (text) => {
        expect(escapeHtml(text)).not.toMatch(/[<>"']/)
        expect(unescapeHtml(escapeHtml(text))).toBe(text)
      }),
    )
  })
})
