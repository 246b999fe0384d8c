/**
 * Owns: the proxy auto-configuration file: which requests a browser sends to us.
 * Never: sends traffic around the gate but for names that only the local network has.
 */

/** A PAC file that names `proxies` (`host:port`) in order of preference. */
export function proxyAutoConfig(proxies: readonly string[]): string {
  const answer = proxies.map((proxy) => `PROXY ${proxy}`).join('; ')
  return `// Sluss: plain names and the computer itself go directly, all else through the gate.
function FindProxyForURL(url, host) {
  if (isPlainHostName(host) || host === "127.0.0.1" || host === "::1") return "DIRECT";
  return ${JSON.stringify(answer)};
}
`
}
