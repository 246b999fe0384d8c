/** Published checksums, as they are found written. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CHECKSUM_BYTES_MAX, readDigest } from '../../src/lists/published-digest.ts'

describe('checksum files', () => {
  const md5 = 'd41d8cd98f00b204e9800998ecf8427e'
  const sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
  const sha512 = 'cf83e1357eefb8bd'.repeat(8)
  const reads = (name: string, text: string, hex: string | null) =>
    test(name, () => expect(readDigest(text, 'adult.tar.gz')?.hex ?? null).toBe(hex))
  reads('a lone digest', `${sha256}\n`, sha256)
  reads('a lone digest in capitals', sha256.toUpperCase(), sha256)
  reads('a line of sha256sum', `${sha256}  adult.tar.gz\r\n`, sha256)
  reads('a line of md5sum -b', `${md5} *./dest/adult.tar.gz\n`, md5)
  reads('a line of BSD', `SHA512 (adult.tar.gz) = ${sha512}`, sha512)
  reads('one of many', `${sha512.replace('c', 'd')}  a\n${sha256}  adult.tar.gz\n`, sha256)
  reads('the strongest', `${md5}  adult.tar.gz\n${sha256}  adult.tar.gz\n`, sha256)
  reads('one line, of another name', `${sha256}  latest\n`, sha256)
  reads('two lines, of other names', `${sha256}  a\n${md5}  b\n`, null)
  reads('a digest of no known length', 'abcdef0123', null)
  reads('nothing', '', null)
  test('a line of blanks is read at once', () => {
    const blanks = ' '.repeat(CHECKSUM_BYTES_MAX - 100)
    const beganMs = performance.now()
    expect(readDigest(`${sha256}${blanks}x\u2028x\n${sha256}${blanks}x\rx`, 'x')).toBeNull()
    expect(performance.now() - beganMs).toBeLessThan(1_000)
  })
  test('no text is an exception', () => {
    fc.assert(fc.property(fc.string(), fc.string(), (text, name) => void readDigest(text, name)))
  })
})
