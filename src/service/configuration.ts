/**
 * Owns: everything that files say, read together: settings, platforms, register, users; and the policy
 * made of it.
 * Never: builds lists (world.ts asks a thread to), or keeps half of a broken configuration.
 */
import { readFileSync } from 'node:fs'
import { parseUsers, type Users } from '../identity/index.ts'
import type { ListSource, Policy } from '../policy/index.ts'
import { compilePolicy } from '../settings/compile.ts'
import { loadSettings } from '../settings/load.ts'
import type { PlatformDefinition } from '../settings/platforms.ts'
import type { Problem } from '../settings/problems.ts'
import { loadRegister, type RegisterRow } from '../settings/register.ts'
import type { Settings } from '../settings/schema.ts'

export interface ConfigurationOptions {
  /** Path of the settings file. */
  readonly file: string
  /** `key.path=value`, in order. */
  readonly overrides: readonly string[]
  readonly nowMs: number
}

export interface Configuration {
  readonly ok: true
  readonly settings: Settings
  readonly platforms: readonly PlatformDefinition[]
  readonly sources: readonly ListSource[]
  readonly register: readonly RegisterRow[]
  /** Null: no users file is set. */
  readonly users: Users | null
  /** The policy as number `version` of this run. */
  readonly policyOf: (version: number) => Policy
  readonly warnings: readonly Problem[]
  /** What to watch. */
  readonly files: readonly string[]
}

export interface BrokenConfiguration {
  readonly ok: false
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  readonly files: readonly string[]
}

/** Reads it all, and reports all that is wrong at once. */
export function readConfiguration(
  options: ConfigurationOptions,
): Configuration | BrokenConfiguration {
  const { file, overrides, nowMs } = options
  const loaded = loadSettings({ file, overrides })
  if (!loaded.ok) return loaded
  const { settings, platforms, sources, files } = loaded
  const register =
    settings.exemptions === null
      ? null
      : loadRegister({ file: settings.exemptions, platforms, calendar: settings.day, nowMs })
  if (register !== null && !register.ok) {
    return { ok: false, problems: register.problems, warnings: loaded.warnings, files }
  }
  const users = readUsers(settings.identity.basic.users)
  const exemptions = register?.exemptions ?? []
  return {
    ok: true,
    settings,
    platforms,
    sources,
    register: register?.rows ?? [],
    users: users.users,
    policyOf: (version) => compilePolicy({ settings, platforms, exemptions, version }),
    warnings: [...loaded.warnings, ...(register?.warnings ?? []), ...users.problems],
    files,
  }
}

/** A line that cannot be used is told and left out: one slip must not lock everybody out. */
function readUsers(file: string | null): { users: Users | null; problems: Problem[] } {
  if (file === null) return { users: null, problems: [] }
  const { users, problems } = parseUsers(readFileSync(file, 'utf8'))
  return {
    users,
    problems: problems.map(({ line, what, hint }) => {
      return { file, line, key: '', value: '', what, expected: '', hint }
    }),
  }
}
