import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { has, startChromium } from './stand/programs.ts'
import { until } from './stand/sluss.ts'
import { buildTown, type Town } from './stand/town.ts'

/** A browser asks for more than a page, an icon for one: of its lines there may be several alike. */
async function someLine(town: Town, where: string): Promise<void> {
  await until(where, () => town.sluss.lines(where).length > 0)
}

describe.runIf(has('chromium'))('Chromium', () => {
  let town: Town
  let browser: Browser
  let page: Page
  beforeAll(async () => {
    town = await buildTown()
    browser = await startChromium(town)
    page = await browser.newPage({ locale: 'sv-SE' })
  })
  afterAll(async () => {
    await browser.close()
    await town.close()
  })

  const allowed = "verdict = 'allow' AND reason = 'default' AND status = 200"

  it('shows an allowed page over HTTP', async () => {
    const authority = `news.test:${town.http.port}`
    const response = await page.goto(`http://${authority}/page`)
    expect(response?.status()).toBe(200)
    expect(await page.textContent('h1')).toBe(authority)
    await someLine(town, `host = 'news.test' AND method = 'GET' AND ${allowed}`)
  })

  it('shows an allowed page over HTTPS', async () => {
    const authority = `www.news.test:${town.https.port}`
    const response = await page.goto(`https://${authority}/page`)
    expect(response?.status()).toBe(200)
    expect(await page.textContent('h1')).toBe(authority)
    await someLine(town, `host = 'www.news.test' AND method = 'CONNECT' AND ${allowed}`)
  })

  it('shows our page in place of a refused one, in the language of its user', async () => {
    const url = `http://bad.test:${town.http.port}/`
    const response = await page.goto(url)
    expect(response?.status()).toBe(403)
    expect(await page.getAttribute('html', 'lang')).toBe('sv')
    expect(await page.textContent('h1')).toBe('Webbplatsen är stoppad')
    expect(await page.textContent('dl')).toContain('pornografi')
    await someLine(town, "host = 'bad.test' AND verdict = 'block' AND status = 403")
    const english = await browser.newPage({ locale: 'en-GB' })
    await english.goto(url)
    expect(await english.textContent('h1')).toBe('This site is refused')
    await english.close()
  })

  it('says itself that a refused site cannot be reached over HTTPS, and goes on', async () => {
    const refused = page.goto(`https://www.bad.test:${town.https.port}/`)
    await expect(refused).rejects.toThrow('net::ERR_TUNNEL_CONNECTION_FAILED')
    // It shows a page of its own, after it has told us.
    await until('its error page', () => page.url() === 'chrome-error://chromewebdata/')
    await someLine(town, "host = 'www.bad.test' AND method = 'CONNECT' AND verdict = 'block'")
    await page.goto(`https://notbad.test:${town.https.port}/page`)
    expect(await page.title()).toBe('page')
    await someLine(town, `host = 'notbad.test' AND method = 'CONNECT' AND ${allowed}`)
  })

  it('speaks to a WebSocket', async () => {
    const authority = `help.test:${town.http.port}`
    await page.goto(`http://${authority}/page`)
    const answer = await page.evaluate(
      (url) =>
        new Promise((resolve, reject) => {
          const socket = new WebSocket(url)
          socket.onopen = () => socket.send('hej på dig')
          socket.onmessage = ({ data }) => {
            socket.close()
            resolve(data)
          }
          socket.onerror = () => reject(new Error('the WebSocket failed'))
        }),
      `ws://${authority}/`,
    )
    expect(answer).toBe('hej på dig')
    await someLine(town, "host = 'help.test' AND method = 'CONNECT' AND status = 200")
  })
})
