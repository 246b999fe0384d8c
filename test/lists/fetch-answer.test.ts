/** What an answer means before its body is read. */
import { describe, expect, test } from 'vitest'
import { isWebPage, readRetryAfter } from '../../src/lists/fetch-answer.ts'

describe('small readings', () => {
  test('Retry-After in seconds and as a date', () => {
    const nowMs = Date.UTC(2026, 10, 21, 10)
    expect(readRetryAfter('120', nowMs)).toBe(120_000)
    expect(readRetryAfter('Sat, 21 Nov 2026 10:05:00 GMT', nowMs)).toBe(300_000)
    expect(readRetryAfter('Sat, 21 Nov 2026 09:00:00 GMT', nowMs)).toBe(0)
    expect(readRetryAfter('soon', nowMs)).toBeNull()
    expect(readRetryAfter(undefined, nowMs)).toBeNull()
  })
  test('what is a web page', () => {
    const page = (text: string) => isWebPage(new TextEncoder().encode(text))
    for (const text of ['<!doctype html>', '\n\t<html>', '<?xml version="1.0"?>', '\ufeff<head>']) {
      expect(page(text)).toBe(true)
    }
    for (const text of ['', '# <html>', 'example.com', '! <b>', '<', '< a.com']) {
      expect(page(text)).toBe(false)
    }
  })
})
