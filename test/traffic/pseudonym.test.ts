import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { KEY_BYTES, openKey, Pseudonyms, readKey } from '../../src/traffic/pseudonym.ts'
import { batch, record, rowsOf, SOURCE, TODAY, temporaryFolder, writerIn } from './records.ts'

let state: string
let remove: () => void

beforeEach(() => {
  const folder = temporaryFolder()
  state = folder.path
  remove = folder.remove
})
afterEach(() => remove())

const file = () => join(state, 'keys', 'pseudonym.key')

describe('a pseudonym', () => {
  const pseudonyms = new Pseudonyms(Buffer.alloc(KEY_BYTES, 7))

  test('is the same for the same name and key, for ever', () => {
    // Reckoned with: printf u-anna | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707… -binary |
    // base32
    expect(pseudonyms.user('anna')).toBe('u-65xm3ht6wcao4yhw')
    expect(pseudonyms.address('10.1.2.3')).toBe('a-7bgv7bi5qz5azjat')
    expect(pseudonyms.user('anna')).toBe(pseudonyms.user('anna'))
  })

  test('differs by name, by kind and by key', () => {
    const other = new Pseudonyms(Buffer.alloc(KEY_BYTES, 8))
    const all = [
      pseudonyms.user('anna'),
      pseudonyms.user('anne'),
      pseudonyms.address('anna'),
      other.user('anna'),
    ]
    expect(new Set(all.map((each) => each.slice(2))).size).toBe(4)
    for (const each of all) expect(each).toMatch(/^[ua]-[a-z2-7]{16}$/)
  })

  test('follows what the user is: a name, an address, or a zone that is nobody', () => {
    expect(pseudonyms.ofIdentity('user', 'anna')).toBe(pseudonyms.user('anna'))
    expect(pseudonyms.ofIdentity('address', '10.1.2.3')).toBe(pseudonyms.address('10.1.2.3'))
    expect(pseudonyms.ofIdentity('network', 'schools')).toBe('schools')
    expect(pseudonyms.ofIdentity('', 'anna')).toBe(pseudonyms.user('anna'))
    expect(pseudonyms.ofIdentity('user', '')).toBe('')
  })
})

describe('the key', () => {
  test('is made at first use, for its owner alone, and kept', () => {
    expect(readKey(file())).toBeNull()
    const key = openKey(file())
    expect(key).toHaveLength(KEY_BYTES)
    expect(statSync(file()).mode & 0o777).toBe(0o600)
    expect(statSync(join(state, 'keys')).mode & 0o777).toBe(0o700)
    expect(openKey(file())).toEqual(key)
    expect(readKey(file())).toEqual(key)
    expect(readdirSync(join(state, 'keys'))).toEqual(['pseudonym.key'])
  })

  test('of a wrong length is an error that says what to do, and is not replaced', () => {
    mkdirSync(join(state, 'keys'))
    writeFileSync(file(), 'short')
    expect(() => openKey(file())).toThrow(/5 bytes long, expected 32.*backup/)
    expect(readFileSync(file(), 'utf8')).toBe('short')
  })
})

describe('in the log', () => {
  const people = [
    record({ user: 'anna', identity: 'user', address: '10.1.2.3' }),
    record({ user: '10.1.2.4', identity: 'address', address: '10.1.2.4' }),
    record({ user: 'schools', identity: 'network', address: '10.80.0.1', zone: 'schools' }),
    record({ user: '', identity: '', address: '192.0.2.1', zone: '' }),
  ]
  const who = () => rowsOf(state, TODAY).map(({ user, address }) => [user, address])

  test('neither a name nor an address reaches the disk', () => {
    const writer = writerIn(state, { identities: 'pseudonym' })
    writer.write(SOURCE, batch(1, ...people))
    const pseudonyms = new Pseudonyms(readKey(file())!)
    const address = (text: string) => pseudonyms.address(text)
    expect(who()).toEqual([
      [pseudonyms.user('anna'), address('10.1.2.3')],
      [address('10.1.2.4'), address('10.1.2.4')],
      ['schools', address('10.80.0.1')],
      ['', address('192.0.2.1')],
    ])
    const folder = join(state, 'traffic')
    const bytes = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'))
    expect(bytes.join('')).not.toMatch(/anna|10\.1\.2\.|10\.80\.0|192\.0\.2/)
    writer.close()
  })

  test('`log.identities` holds from the next batch on', () => {
    const writer = writerIn(state, { identities: 'name' })
    writer.write(SOURCE, batch(1, people[0]!))
    const { calendar, retentionMs } = {
      calendar: { timezone: 'UTC', startsMinute: 0 },
      retentionMs: 1,
    }
    writer.configure({ calendar, retentionMs, identities: 'pseudonym' })
    writer.write(SOURCE, batch(2, people[0]!))
    expect(who()[0]).toEqual(['anna', '10.1.2.3'])
    expect(who()[1]![0]).toMatch(/^u-/)
    writer.close()
  })

  test('without a key nothing is written', () => {
    mkdirSync(join(state, 'keys'))
    writeFileSync(file(), 'short')
    const writer = writerIn(state, { identities: 'pseudonym' })
    expect(writer.write(SOURCE, batch(1, ...people))).toMatchObject({
      kind: 'failed',
      why: expect.stringContaining('pseudonym.key: is 5 bytes long'),
    })
    expect(writer.failure?.hint).toContain(file())
  })
})
