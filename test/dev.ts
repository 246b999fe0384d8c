/**
 * Owns: `npm run dev`: a small municipality on loopback, started anew at each change of the sources, and
 * lines to try it with.
 * Never: is part of the product, or reaches the internet.
 */
import { buildTown, USER } from './e2e/stand/town.ts'

const town = await buildTown({ threads: 2 })
const { sluss, http, https } = town
const proxy = `http://${sluss.proxy}`
const signedIn = `http://${USER.name}:${USER.password}@${sluss.proxy}`

process.stdout.write(`
Sluss listens on ${sluss.proxy}, its portal on ${sluss.portal}.
Its files lie in ${sluss.folder}/config: edit them, and see them take effect.

  curl -x ${proxy} http://news.test:${http.port}/hello             allowed
  curl -k -x ${proxy} https://news.test:${https.port}/hello        allowed, through a tunnel
  curl -x ${proxy} http://www.bad.test:${http.port}/               refused: pornography
  curl -k -x ${proxy} https://bad.test:${https.port}/              refused, told in the status line
  curl -x ${proxy} http://face.test:${http.port}/bytes/50000       allowed, charges this minute
  curl --interface 127.0.2.1 -x ${proxy} http://news.test:${http.port}/     asks who you are
  curl --interface 127.0.2.1 -x ${signedIn} http://news.test:${http.port}/  signed in
  curl --interface 127.0.5.1 -x ${proxy} http://face.test:${http.port}/     a school: not counted

  ./sluss --config ${sluss.config} --state ${sluss.state} quota
  ./sluss --config ${sluss.config} --state ${sluss.state} log search
  ./sluss --config ${sluss.config} --state ${sluss.state} explain face.test

`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void town.close().then(() => process.exit(0)))
}
