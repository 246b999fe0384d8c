/**
 * Owns: the proxy auto-configuration file: which requests a browser sends to us.
 * Never: sends traffic around the gate but for names that only the local network has.
 */

interface Endpoint {
  readonly address: string
  readonly port: number
}

/** Addresses that stand for all of a machine's own: a browser elsewhere cannot be pointed at them. */
const ALL = ['0.0.0.0', '::']
const MAPPED = /^::ffff:(?=\d+\.)/

/**
 * A PAC file that names `proxies` in order of preference. One that listens on all addresses is named by
 * `reachedAt`: the address that the browser found this machine at. Null where that is wanted and empty.
 */
export function proxyAutoConfig(proxies: readonly Endpoint[], reachedAt: string): string | null {
  if (reachedAt === '' && proxies.some(({ address }) => ALL.includes(address))) return null
  const names = proxies.map(({ address, port }) => {
    const host = ALL.includes(address) ? reachedAt.replace(MAPPED, '') : address
    return `PROXY ${host.includes(':') ? `[${host}]` : host}:${port}`
  })
  const answer = [...new Set(names)].join('; ')
  return `// Sluss: plain names and the computer itself go directly, all else through the gate.
function FindProxyForURL(url, host) {
  if (isPlainHostName(host) || host === "127.0.0.1" || host === "::1") return "DIRECT";
  return ${JSON.stringify(answer)};
}
`
}
