/**
 * Owns: in which language people are answered, and text made safe to stand in a page.
 * Never: has words of its own; reason.ts and the pages have them.
 */
import type { Language } from './reason.ts'

/** A weight of RFC 9110 section 12.4.2. */
const WEIGHT = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

/**
 * Swedish unless the browser prefers English: of the two in Accept-Language the heavier wins, then the
 * first. A range whose weight is malformed, or 0, counts as not there.
 */
export function languageOf(acceptLanguage: string): Language {
  let best: Language = 'sv'
  let bestWeight = 0
  for (const part of acceptLanguage.split(',')) {
    const [range = '', weightText] = part.toLowerCase().split(';', 2)
    const language = range.trim().split('-')[0]
    const weight = weightText === undefined ? 1 : Number(WEIGHT.exec(weightText.trim())?.[1] ?? 0)
    if ((language !== 'sv' && language !== 'en') || weight <= bestWeight) continue
    best = language
    bestWeight = weight
  }
  return best
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
