/**
 * Owns: host names for the benches: generated lists and the hosts that are looked up in them.
 * Never: reads a file or draws a number without a seed.
 */
import { below, type Random, zipfOf } from './measure.ts'

const SYLLABLES = (
  'an ar bo ca co da de di el en er es fa fi ga go ha he hu in ja ka ke ki la le li lo ma me mi mo na ne ' +
  'ni no on or pa pe po ra re ri ro sa se shi si so sta ta te ti to tra tu un va ve vi wa we xi ya zo'
).split(' ')
const WORDS = (
  'bet best blog book cam casino chat city club data day dev direct film forum free fun game girl gold ' +
  'group hd home hot hub info lab life live love max media mobile mp3 music news now one online party ' +
  'photo play plus poker porn pro radio sex shop show site sport star stream tech the time top toto tube ' +
  'tv video vip web win world xxx zone'
).split(' ')
/**
 * The suffixes of names, about as often as registered names have them: the first is the most
 * common.
 */
const SUFFIXES = (
  'com net org de ru info co.uk xyz fr nl top online se shop it pl com.br site pw biz eu es cc me club ' +
  'tk co jp cn vip in live us io tv ch cz win co.jp com.au com.tr ga'
).split(' ')
const PLATFORMS = (
  'blogspot.com cloudfront.net wordpress.com github.io tumblr.com web.app netlify.app pages.dev ' +
  'fc2.com livejournal.com herokuapp.com weebly.com'
).split(' ')
const PREFIXES = 'www m api cdn img static mail blog en media video s1 ns2 app'.split(' ')
/** Of names: those under a hosting platform. */
const PLATFORM_SHARE = 0.12
/** Of hosts that are asked for: the name itself, and with one label before it; the rest has two. */
const BARE_SHARE = 0.24
const ONE_MORE_SHARE = 0.54

export type NameSource = () => string

/** Registered names, and one in eight under a hosting platform; the same name may come twice. */
export function nameSource(random: Random): NameSource {
  const suffix = zipfOf(random, SUFFIXES.length)
  const pick = (from: readonly string[]) => from[below(random, from.length)]!
  const label = () => {
    let text = ''
    const syllables = 2 + below(random, 4)
    for (let i = 0; i < syllables; i++) text += pick(SYLLABLES)
    const form = random()
    if (form < 0.35) text += pick(WORDS)
    if (form < 0.12) text = `${pick(WORDS)}-${text}`
    if (form > 0.9) text += below(random, 1_000)
    return text
  }
  return () =>
    random() < PLATFORM_SHARE ? `${label()}.${pick(PLATFORMS)}` : `${label()}.${SUFFIXES[suffix()]}`
}

/** A host as it is asked for: the name itself, or with one label or two before it. */
export function hostBelow(random: Random, name: string): string {
  const form = random()
  if (form < BARE_SHARE) return name
  const prefix = PREFIXES[below(random, PREFIXES.length)]!
  if (form < BARE_SHARE + ONE_MORE_SHARE) return `${prefix}.${name}`
  return `${prefix}${below(random, 100)}.${prefix}.${name}`
}

/** `count` different names, none of `others`. */
export function distinctNames(
  random: Random,
  count: number,
  others: ReadonlySet<string> = new Set(),
): string[] {
  const next = nameSource(random)
  const names = new Set<string>()
  while (names.size < count) {
    const name = next()
    if (!others.has(name)) names.add(name)
  }
  return [...names]
}
