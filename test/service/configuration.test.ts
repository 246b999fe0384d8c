/**
 * Owns: that a register or a users file cut to nothing is told from one that is meant to be empty.
 * Never: starts a service; hot-change.test.ts does.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { formatUser, hashPassword } from '../../src/identity/index.ts'
import type { UserName } from '../../src/policy/index.ts'
import {
  type Configuration,
  emptiedFiles,
  readConfiguration,
} from '../../src/service/configuration.ts'

const SETTINGS = `version: 1
zones: [{ name: office, networks: [10.0.0.0/8], identify: basic }]
identity: { basic: { users: users.txt } }
exemptions: exemptions.yaml
`
const ROW =
  '- { user: anna, platforms: all, purpose: p, department: d, decidedBy: x, dnr: "1", from: 2026-01-01, until: 2026-12-31 }\n'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluss-configuration-'))
  write('sluss.yaml', SETTINGS)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, text: string) => writeFileSync(join(folder, name), text)

function read(): ReturnType<typeof readConfiguration> {
  const nowMs = Date.parse('2026-06-01T12:00:00Z')
  return readConfiguration({ file: join(folder, 'sluss.yaml'), overrides: [], nowMs })
}

function good(): Configuration {
  const configuration = read()
  if (!configuration.ok) throw new Error(JSON.stringify(configuration.problems))
  return configuration
}

describe('a register or a users file of no length', () => {
  let before: Configuration
  beforeEach(async () => {
    const hash = await hashPassword('Sommar-2026')
    write('users.txt', `${formatUser('anna' as UserName, { hash, groups: [] })}\n`)
    write('exemptions.yaml', ROW)
    before = good()
  })

  it('is told where it named somebody before: it was cut short', () => {
    for (const name of ['users.txt', 'exemptions.yaml']) write(name, '')
    const files = emptiedFiles(good(), before).map(({ file }) => file)
    expect(files).toEqual([join(folder, 'exemptions.yaml'), join(folder, 'users.txt')])
  })

  it('is as good as any where it named nobody before, or says that it is meant', () => {
    for (const name of ['users.txt', 'exemptions.yaml']) write(name, '')
    expect(emptiedFiles(good(), good())).toEqual([])
    for (const name of ['users.txt', 'exemptions.yaml']) write(name, '# none\n')
    expect(emptiedFiles(good(), before)).toEqual([])
  })
})

describe('a pipe or a device in place of a file', () => {
  it('is told, and neither waited for nor read without an end', () => {
    write('users.txt', '')
    execFileSync('mkfifo', [join(folder, 'exemptions.yaml')])
    write('sluss.yaml', `${SETTINGS}platforms: /dev/zero\n`)
    const told = (configuration: ReturnType<typeof read>) =>
      configuration.ok ? [] : configuration.problems.map(({ what }) => what)
    expect(told(read())).toEqual(['it is not a file'])
    write('sluss.yaml', SETTINGS)
    expect(told(read())).toEqual(['it is not a file'])
  })
})
