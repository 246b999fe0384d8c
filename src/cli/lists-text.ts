/**
 * Owns: what the commands of `./sluss lists` share: the configuration they work on, and the words for
 * versions, labels and places.
 * Never: does a command's work.
 */
import type { Command } from 'commander'
import type { Gain } from '../lists/compare.ts'
import type { Location } from '../lists/locate.ts'
import { categoryNames, formatTime, type Policy, platformNames } from '../policy/index.ts'
import {
  type BrokenConfiguration,
  type Configuration,
  readConfiguration,
} from '../service/configuration.ts'
import { endWithProblems, globalOptions, overridesOf } from './context.ts'

/** Hex digits of a version that people are shown. */
export const VERSION_DIGITS = 12

/** All that the files say; a list that cannot be read does not stand in the way of the others. */
export function loadLists(command: Command): Configuration {
  const options = globalOptions(command)
  const read: Configuration | BrokenConfiguration = readConfiguration({
    file: options.config,
    overrides: overridesOf(options),
    nowMs: Date.now(),
    lists: 'tell',
  })
  return read.ok ? read : endWithProblems(read.problems)
}

export function isJson(command: Command): boolean {
  return globalOptions(command).json
}

/** `9b1c0e4477aa`; a dash where there is none. */
export function versionText(sha256: string | null): string {
  return sha256 === null || sha256 === '' ? '–' : sha256.slice(0, VERSION_DIGITS)
}

/** Local time with offset; a dash where there is none. */
export function timeText({ settings }: Configuration, ms: number | null): string {
  return ms === null ? '–' : formatTime(settings.day.timezone, ms)
}

/** `porn, gambling`: the names of all labels. */
export function labelNames(policy: Policy, gain: Gain): string[] {
  const labels = { ...gain, background: 0 }
  const names = new Set([...categoryNames(policy, labels), ...platformNames(policy, labels)])
  return [...names, ...(gain.neverBlock ? ['never-block'] : [])]
}

/** `example.com in ut1-adult, line 17 (version 9b1c0e4477aa)`. */
export function placeText({ domain, list, line, version, frees }: Location): string {
  const which = version === '' ? '' : ` (version ${versionText(version)})`
  return `${domain} ${frees ? 'freed by' : 'in'} ${list}, line ${line}${which}`
}

/** `1234567` as `1,234,567`: counts of millions are read by people. */
export function countText(n: number): string {
  return n.toLocaleString('en')
}
