/**
 * Owns: `./sluss user` as people and scripts meet it, and that no password or hash is ever shown.
 * Never: touches the real users file.
 */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { askHidden } from '../../src/cli/password.ts'
import { register } from '../../src/cli/user.ts'
import { matchesScrypt, parseScrypt, parseUsers } from '../../src/identity/index.ts'
import { parseUserName } from '../../src/policy/index.ts'
import { runCommand } from './run-command.ts'

const SETTINGS = `version: 1
state: var
listen: { proxy: 127.0.0.1:3128 }
zones:
  - { name: local, networks: [127.0.0.0/8], identify: basic }
identity: { basic: { users: users.txt } }
categories:
  porn: { action: block, lists: [no-such-list.txt] }
`

const HASH = `$scrypt$ln=15,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`
const USERS = `# people\nbo:${HASH}:it,press\n# more people\nEva:${HASH}\n`

let folder = ''
let file = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluss-user-'))
  file = join(folder, 'users.txt')
  writeFileSync(join(folder, 'sluss.yaml'), SETTINGS)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Runs `user …` with lines typed at a terminal, or piped where it is none. */
async function user(args: string[], typed = '', isTTY = false) {
  const input = Object.assign(new PassThrough(), { isTTY })
  const output = new PassThrough()
  const asked: string[] = []
  output.on('data', (chunk) => {
    asked.push(String(chunk))
    // A person types when asked.
    const line = lines.shift()
    if (isTTY && line !== undefined) input.write(`${line}\r`)
  })
  const lines = typed.split('\n')
  if (!isTTY) input.end(typed)
  const config = ['--config', join(folder, 'sluss.yaml'), 'user', ...args]
  const ran = await runCommand((program) => register(program, { input, output }), config)
  const shown = `${ran.stdout}${ran.stderr}${asked.join('')}`
  expect(shown).not.toContain('$scrypt$')
  for (const line of typed.split('\n').filter((text) => text !== '')) {
    expect(shown).not.toContain(line)
  }
  return { ...ran, asked: asked.join('') }
}

const text = () => readFileSync(file, 'utf8')
const users = () => parseUsers(text()).users
const opens = async (name: string, password: string) => {
  const hash = users().get(parseUserName(name)!)?.hash ?? ''
  return matchesScrypt(password, parseScrypt(hash)!)
}

describe('user add', () => {
  it('makes the file, for its owner alone, and keeps the password as a hash', async () => {
    const added = await user(
      ['add', 'Anna.Å', '--groups', 'It, press', '--password-stdin'],
      'rätt häst\n',
    )
    expect(added).toMatchObject({ code: 0, stdout: 'anna.å: added.\n', stderr: '' })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(text()).toMatch(/^# .*\nanna\.å:\$scrypt\$ln=15,r=8,p=1\$.*:it,press\n$/)
    expect(await opens('anna.å', 'rätt häst')).toBe(true)
    expect(await opens('anna.å', 'fel häst')).toBe(false)
  })

  it('adds to the others, and keeps the comments', async () => {
    writeFileSync(file, USERS)
    chmodSync(file, 0o644)
    await user(['add', 'anna', '--password-stdin'], 'eight chars')
    expect(text().startsWith(USERS)).toBe(true)
    expect([...users().keys()]).toEqual(['bo', 'eva', 'anna'])
    expect(statSync(file).mode & 0o777).toBe(0o640)
  })

  it.skipIf(process.getuid?.() !== 0)(
    'lets the service go on reading what root changes',
    async () => {
      mkdirSync(join(folder, 'var'))
      chownSync(join(folder, 'var'), 12_345, 23_456)
      await user(['add', 'anna', '--password-stdin'], 'eight chars')
      const made = statSync(file)
      expect([made.uid, made.gid, made.mode & 0o777]).toEqual([12_345, 23_456, 0o600])
      chownSync(file, 0, 0)
      chmodSync(file, 0o644)
      await user(['add', 'bo', '--password-stdin'], 'eight chars')
      const changed = statSync(file)
      expect([changed.uid, changed.gid, changed.mode & 0o777]).toEqual([0, 23_456, 0o640])
    },
  )

  it('asks twice at a terminal', async () => {
    const added = await user(['add', 'anna'], 'rätt häst\nrätt häst', true)
    expect(added).toMatchObject({ code: 0, asked: 'New password: \nOnce more: \n' })
    expect(await opens('anna', 'rätt häst')).toBe(true)
  })

  it.each<[string, string[], string, boolean, RegExp]>([
    ['two that differ', ['add', 'anna'], 'rätt häst\nfel häst!', true, /not the same/],
    ['Ctrl-C', ['add', 'anna'], '\u0003', true, /no password was given/],
    ['a short password', ['add', 'anna', '--password-stdin'], 'seven c', false, /at least 8/],
    ['no password', ['add', 'anna', '--password-stdin'], '', false, /too short/],
    [
      'an endless password',
      ['add', 'anna', '--password-stdin'],
      'x'.repeat(257),
      false,
      /at most 256/,
    ],
    ['controls', ['add', 'anna', '--password-stdin'], 'eight\tchars', false, /no controls/],
    ['no terminal', ['add', 'anna'], '', false, /no terminal.*\n.*--password-stdin/],
    [
      'a name with a colon',
      ['add', 'a:b', '--password-stdin'],
      'eight chars',
      false,
      /cannot be a user/,
    ],
    ['no name', ['add', ' ', '--password-stdin'], 'eight chars', false, /cannot be a user/],
    ['a group with a colon', ['add', 'anna', '--groups', 'a:b'], '', false, /cannot be a group/],
  ])('refuses %s', async (_name, args, typed, isTTY, expected) => {
    const refused = await user(args, typed, isTTY)
    expect([refused.code, refused.stdout]).toEqual([2, ''])
    expect(refused.stderr).toMatch(expected)
    expect(existsSync(file)).toBe(false)
  })

  it('refuses a name that is there, before it asks', async () => {
    writeFileSync(file, USERS)
    const refused = await user(['add', 'EVA'], '', true)
    expect(refused).toMatchObject({ code: 2, asked: '' })
    expect(refused.stderr).toMatch(/eva is in .*users\.txt already\n.*passwd/)
  })
})

describe('user passwd', () => {
  it('changes one hash, and nothing else', async () => {
    writeFileSync(file, USERS)
    const before = users().get(parseUserName('bo')!)
    const changed = await user(['passwd', 'Bo', '--password-stdin', '--json'], 'rätt häst\n')
    expect(changed.code).toBe(0)
    expect(JSON.parse(changed.stdout)).toEqual({ user: 'bo', done: 'changed' })
    const { hash } = users().get(parseUserName('bo')!)!
    expect(text()).toBe(USERS.replace(before!.hash, hash))
    expect(await opens('bo', 'rätt häst')).toBe(true)
  })

  it('knows who is not there, before it asks', async () => {
    expect(await user(['passwd', 'nobody'], '', true)).toMatchObject({
      code: 1,
      asked: '',
      stderr: 'sluss: there is no user nobody\n',
    })
  })
})

describe('user remove', () => {
  it('takes the line away', async () => {
    writeFileSync(file, USERS)
    expect(await user(['remove', 'bo'])).toMatchObject({ code: 0, stdout: 'bo: removed.\n' })
    expect(text()).toBe(`# people\n# more people\nEva:${HASH}\n`)
    expect(await user(['remove', 'bo'])).toMatchObject({ code: 1 })
  })
})

describe('user list', () => {
  it('shows names and groups', async () => {
    writeFileSync(file, USERS)
    const { code, stdout } = await user(['list'])
    expect([code, stdout]).toEqual([0, 'user  groups\nbo    it, press\neva\n'])
    const { stdout: json } = await user(['list', '--json'])
    expect(JSON.parse(json)).toEqual([
      { user: 'bo', groups: ['it', 'press'] },
      { user: 'eva', groups: [] },
    ])
  })

  it('names the lines that do not hold', async () => {
    writeFileSync(file, `bo:${HASH}\neva:secret99\n`)
    const { code, stdout, stderr } = await user(['list'])
    expect([code, stdout]).toEqual([0, 'user  groups\nbo\n'])
    expect(stderr).toMatch(/users\.txt:2: the password hash of eva cannot be read/)
    expect(stderr).not.toContain('secret99')
  })

  it('says so where there is nobody, or no file is set', async () => {
    expect(await user(['list'])).toMatchObject({ code: 0, stdout: 'No users.\n' })
    const zone = 'zones[0].identify=address'
    const unset = await user(['list', '--set', 'identity.basic.users=null', '--set', zone])
    expect(unset).toMatchObject({ code: 2, stderr: expect.stringContaining('name no users file') })
  })
})

describe('askHidden', () => {
  it.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('gives nothing where the person ends with %s', async (_name, key) => {
    const input = new PassThrough()
    const answer = askHidden({ input, output: new PassThrough() }, 'New password: ')
    input.write(key)
    expect(await answer).toBeNull()
  })

  it('turns the echo off before it asks, and on again', async () => {
    const events: string[] = []
    const setRawMode = (on: boolean) => events.push(`raw ${on}`)
    const input = Object.assign(new PassThrough(), { setRawMode })
    const output = new PassThrough()
    output.on('data', (chunk) => events.push(String(chunk)))
    const answer = askHidden({ input, output }, 'New password: ')
    input.write('rätt häst\r')
    expect(await answer).toBe('rätt häst')
    expect(events.filter((event) => event !== '\n')).toEqual([
      'raw true',
      'New password: ',
      'raw false',
    ])
  })

  it('lets the person mend a slip', async () => {
    const input = new PassThrough()
    const answer = askHidden({ input, output: new PassThrough() }, 'New password: ')
    input.write('räts\u007ft\r')
    expect(await answer).toBe('rätt')
  })
})
