/**
 * Owns: real clients for the tests: curl, wget, Python, Chromium; and whether this machine has them.
 * Never: skips where everything must be there: .ci/run sets SLUSS_TEST_ALL, and then a missing one fails.
 */
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { type Output, runCommand } from './sluss.ts'
import type { Town } from './town.ts'

/** True where `program` is on the PATH, or must be. */
export function has(program: string): boolean {
  return process.env.SLUSS_TEST_ALL === '1' || pathOf(program) !== null
}

export function pathOf(program: string): string | null {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, program)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {}
  }
  return null
}

/** Runs `program` with the town's certificate in a file, and with no thought of going around the proxy. */
async function runTrusting(
  { certificate }: Town,
  program: string,
  argsOf: (cacert: string) => readonly string[],
  { input = '', ...env }: Readonly<Record<string, string>> = {},
): Promise<Output> {
  const folder = mkdtempSync(join(tmpdir(), 'sluss-client-'))
  const cacert = join(folder, 'ca')
  writeFileSync(cacert, certificate.certificate)
  try {
    const all = { no_proxy: '', NO_PROXY: '', CACERT: cacert, ...env }
    return await runCommand(program, argsOf(cacert), input, all)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** curl through the town's proxy, trusting the town's certificate. */
export function curl(town: Town, args: readonly string[], input = ''): Promise<Output> {
  const all = ['--silent', '--show-error', '--max-time', '60', ...args]
  all.push('--proxy', `http://${town.sluss.proxy}`)
  return runTrusting(town, 'curl', (cacert) => [...all, '--cacert', cacert], { input })
}

/** `openssl s_client` through the town's proxy; it says `input`, and reads until the other side ends. */
export function openssl(town: Town, args: readonly string[], input: string): Promise<Output> {
  const through = ['s_client', '-proxy', town.sluss.proxy, '-quiet', '-ign_eof']
  return runTrusting(town, 'openssl', (cacert) => [...through, '-CAfile', cacert, ...args], {
    input,
  })
}

/** wget, in the same way; it writes to its standard output. */
export function wget(town: Town, args: readonly string[]): Promise<Output> {
  const proxy = `http://${town.sluss.proxy}`
  const all = ['--quiet', '--output-document=-', '--timeout=60', '--tries=1', ...args]
  return runTrusting(town, 'wget', (cacert) => [...all, `--ca-certificate=${cacert}`], {
    http_proxy: proxy,
    https_proxy: proxy,
  })
}

/** Python with `script`, which finds PROXY (`host:port`) and CACERT (a file) in its environment. */
export function python(town: Town, script: string, args: readonly string[]): Promise<Output> {
  const PROXY = town.sluss.proxy
  return runTrusting(town, 'python3', () => ['-c', script, ...args], { PROXY })
}

/** A headless Chromium whose every request goes to the town's proxy, those to loopback too. */
export function startChromium({ sluss }: Town): Promise<Browser> {
  const quiet = ['first-run', 'default-browser-check'].map((what) => `--no-${what}`)
  const off = ['background-networking', 'component-update', 'sync', 'quic', 'gpu']
  return chromium.launch({
    executablePath: pathOf('chromium') ?? 'chromium',
    args: [
      ...['--no-sandbox', '--ignore-certificate-errors'],
      ...[`--proxy-server=${sluss.proxy}`, '--proxy-bypass-list=<-loopback>'],
      ...[...quiet, ...off.map((what) => `--disable-${what}`)],
    ],
  })
}
