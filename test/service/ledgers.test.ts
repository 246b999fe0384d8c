/**
 * Owns: that the service says so where the file of its ledgers is taken away under it.
 * Never: tests the file itself; ledger/store.test.ts does.
 */
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { Ledgers } from '../../src/service/ledgers.ts'
import type { Log } from '../../src/service/log.ts'
import { settingsSchema } from '../../src/settings/schema.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluss-ledgers-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const ZONES = [{ name: 'office', networks: '10.0.0.0/8', identify: 'address' }]

it('a file that is gone or another raises the alarm, until it is back', () => {
  const settings = settingsSchema.parse({ version: 1, state: folder, zones: ZONES })
  const said: string[] = []
  const note = (_fields: unknown, text?: string) => said.push(text ?? String(_fields))
  const log = { info: () => {}, warn: note, error: note } as unknown as Log
  const ledgers = Ledgers.open(settings, Date.now, log) as Ledgers
  const file = join(folder, 'ledger.sqlite')
  ledgers.save()
  expect(ledgers.alarm).toBeNull()
  renameSync(file, `${file}.away`)
  ledgers.save()
  ledgers.save()
  expect(ledgers.alarm).toMatch(/was removed or replaced/)
  renameSync(`${file}.away`, file)
  ledgers.save()
  expect(ledgers.alarm).toBeNull()
  expect(said).toHaveLength(2)
  ledgers.stop()
})
