/**
 * Owns: entering a changed register into its history, also where it was changed in an editor.
 * Never: changes the register.
 */
import { loadRegister } from '../settings/register.ts'
import { historyFileIn, ownerOf, recordHistory } from '../settings/register-history.ts'
import type { Configuration } from './configuration.ts'

/** Enters what is new in `file`; what went wrong, in words, or null. */
export async function enterHistory(
  file: string,
  stateDir: string,
  { platforms, settings }: Configuration,
  nowMs: number,
): Promise<string | null> {
  const register = loadRegister({ file, platforms, calendar: settings.day, nowMs })
  if (!register.ok) return null
  const recorded = await recordHistory({
    file: historyFileIn(stateDir),
    sha256: register.sha256,
    rows: register.rows,
    who: ownerOf(file),
    how: 'editor',
    nowMs,
    registerFile: file,
  })
  return recorded.ok ? null : `${recorded.fault.what}; ${recorded.fault.hint}`
}
