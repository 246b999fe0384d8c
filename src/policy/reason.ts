/**
 * Owns: every reason we give, in one table: its verdict, status, RFC 9209 error, and the words for people.
 * Never: renders a page. docs/reasons.md is made from this table; a test keeps them equal.
 */
import type { Action } from './verdict.ts'

export type Language = 'sv' | 'en'

interface ReasonText {
  /** What happened, as a heading. */
  readonly title: string
  /** What it means and what to do next, in one or two plain sentences. */
  readonly body: string
}

export interface ReasonEntry {
  /**
   * The verdict that carries it; `fail` for what goes wrong on the way to the origin after `allow`; `close` for
   * a connection that a limit ends where there is nothing to answer: it is only counted.
   */
  readonly action: Action | 'fail' | 'close'
  /** HTTP status of our answer; 0 where the request goes on. */
  readonly status: number
  /** Error type of RFC 9209 section 2.3, for Proxy-Status; empty where none fits. */
  readonly proxyError: string
  /** Seconds after which it may be otherwise (Retry-After, RFC 9110 section 10.2.3); absent: nobody knows. */
  readonly retryAfterS?: number
  readonly sv: ReasonText
  readonly en: ReasonText
}

const goesOn = (sv: string, en: string): ReasonEntry => ({
  action: 'allow',
  status: 0,
  proxyError: '',
  sv: { title: 'Tillåtet', body: sv },
  en: { title: 'Allowed', body: en },
})

/** A request that no honest client sends; the words say what is wrong with it. */
const malformed = (status: number, sv: string, en: string): ReasonEntry => ({
  action: 'refuse',
  status,
  proxyError: 'http_request_error',
  sv: {
    title: 'Begäran går inte att tolka',
    body: `${sv} Prova igen, eller kontakta IT-supporten.`,
  },
  en: { title: 'The request cannot be understood', body: `${en} Try again, or ask IT support.` },
})

const entry = (
  action: ReasonEntry['action'],
  status: number,
  proxyError: string,
  texts: { sv: [string, string]; en: [string, string] },
): ReasonEntry => ({
  action,
  status,
  proxyError,
  sv: { title: texts.sv[0], body: texts.sv[1] },
  en: { title: texts.en[0], body: texts.en[1] },
})

/** The same, and when to come back. */
const later = (retryAfterS: number, reason: ReasonEntry): ReasonEntry => ({
  ...reason,
  retryAfterS,
})

const closes = (sv: string, en: string): ReasonEntry => ({
  action: 'close',
  status: 0,
  proxyError: '',
  sv: { title: 'Stängd', body: sv },
  en: { title: 'Closed', body: en },
})

export const REASONS = {
  // The request itself (rule 1)
  'request-line': malformed(400, 'Första raden är fel.', 'Its first line is wrong.'),
  'request-line-too-long': malformed(414, 'Adressen är för lång.', 'The address is too long.'),
  'head-too-large': malformed(431, 'Rubrikerna är för stora.', 'Its header fields are too large.'),
  'header-malformed': malformed(400, 'En rubrik är fel.', 'A header field is wrong.'),
  'framing-conflict': malformed(
    400,
    'Det är oklart var den slutar.',
    'It is unclear where the request ends.',
  ),
  'body-malformed': malformed(
    400,
    'Innehållet är felaktigt uppdelat.',
    'Its content is framed wrongly.',
  ),
  'version-unsupported': malformed(
    505,
    'Sluss talar HTTP/1.0 och HTTP/1.1.',
    'Sluss speaks HTTP/1.0 and HTTP/1.1.',
  ),
  'target-form': malformed(
    400,
    'Detta är en proxy: adressen måste vara fullständig.',
    'This is a proxy: the address must be complete.',
  ),
  'portal-absent': entry('refuse', 404, 'http_request_error', {
    sv: [
      'Här finns ingen portal',
      'Adressen är den här proxyns egen, och den har ingen sida. Kontakta IT-supporten.',
    ],
    en: [
      'There is no portal here',
      'The address is this proxy itself, and it has no page (listen.portal). Ask IT support.',
    ],
  }),
  'scheme-unsupported': malformed(
    400,
    'Bara http:// och CONNECT går genom proxyn.',
    'Only http:// and CONNECT go through the proxy.',
  ),
  'host-malformed': malformed(400, 'Värdnamnet är fel.', 'The host name is wrong.'),
  'host-mismatch': malformed(
    400,
    'Host säger något annat än adressen.',
    'Host and the address do not agree.',
  ),
  'userinfo-forbidden': malformed(
    400,
    'Användarnamn får inte stå i adressen.',
    'A user name may not stand in the address.',
  ),
  'expectation-unsupported': malformed(
    417,
    'Det som väntas i Expect stöds inte.',
    'What it expects is not supported.',
  ),
  'head-timeout': malformed(408, 'Den kom inte fram i tid.', 'It did not arrive in time.'),
  'port-forbidden': entry('refuse', 403, 'http_request_denied', {
    sv: ['Porten är inte tillåten', 'Webbplatser nås bara på de portar som IT har öppnat.'],
    en: ['The port is not allowed', 'Sites are reached only on the ports that IT has opened.'],
  }),
  'loop-detected': entry('refuse', 508, 'proxy_loop_detected', {
    sv: ['Begäran går i cirkel', 'Den har redan gått genom den här proxyn. Kontakta IT-supporten.'],
    en: ['The request goes in a circle', 'It has passed this proxy before. Ask IT support.'],
  }),
  // Who and where (rules 2 to 4)
  'address-literal': entry('refuse', 403, 'http_request_denied', {
    sv: [
      'Adressen saknar namn',
      'Krypterade anslutningar öppnas till namn, inte till IP-adresser. Behövs den i arbetet? Kontakta IT-supporten.',
    ],
    en: [
      'The address has no name',
      'Encrypted connections are opened to names, not to IP addresses. Needed for work? Ask IT support.',
    ],
  }),
  'zone-unknown': entry('refuse', 403, 'http_request_denied', {
    sv: [
      'Datorns adress är okänd',
      'Adressen hör inte till någon del av nätet. Kontakta IT-supporten.',
    ],
    en: ['Your computer is unknown', 'Its address is in no part of the network. Ask IT support.'],
  }),
  'credentials-missing': entry('challenge', 407, '', {
    sv: ['Logga in', 'Du når internet med ditt användarnamn och lösenord.'],
    en: ['Sign in', 'The internet is reached with your user name and password.'],
  }),
  'credentials-wrong': entry('challenge', 407, '', {
    sv: ['Inloggningen stämmer inte', 'Användarnamnet eller lösenordet är fel. Prova igen.'],
    en: ['The sign-in is wrong', 'The user name or the password is wrong. Try again.'],
  }),
  // No challenge: a browser that is asked again forgets a password that may well be right.
  'credentials-unavailable': later(
    10,
    entry('refuse', 503, 'proxy_internal_error', {
      sv: [
        'Inloggningen kan inte kontrolleras nu',
        'Prova igen om en stund, eller kontakta IT-supporten.',
      ],
      en: ['The sign-in cannot be checked now', 'Try again in a while, or ask IT support.'],
    }),
  ),
  portal: goesOn('Till proxyns egen portal.', "To the proxy's own portal."),
  // Sites (rules 5 to 8)
  'never-block': goesOn('Får aldrig stoppas.', 'May never be refused.'),
  'category-blocked': entry('block', 403, 'http_request_denied', {
    sv: ['Webbplatsen är stoppad', 'Kommunen har beslutat att stoppa den här sortens webbplatser.'],
    en: ['This site is refused', 'The municipality has decided to refuse sites of this kind.'],
  }),
  'zone-unmetered': goesOn('Här räknas inga minuter.', 'No minutes are counted here.'),
  exempt: goesOn('Undantag i registret.', 'Exempt by the register.'),
  background: goesOn('Bakgrund, räknas inte.', 'In the background, not counted.'),
  'minutes-left': goesOn('Minuter kvar i dag.', 'Minutes left today.'),
  'minutes-spent': entry('spent', 403, 'http_request_denied', {
    sv: [
      'Dagens minuter är slut',
      'Dina minuter för den här sortens webbplatser är slut för i dag.',
    ],
    en: ["Today's minutes are used", 'Your minutes for sites of this kind are used for today.'],
  }),
  default: goesOn('Ingen regel stoppar.', 'No rule refuses it.'),
  // Ourselves
  'address-forbidden': entry('refuse', 403, 'destination_ip_prohibited', {
    sv: [
      'Adressen är inte tillåten',
      'Webbplatsen har en intern adress, och den nås inte härifrån.',
    ],
    en: [
      'The address is not allowed',
      'The site has an internal address, which is out of bounds here.',
    ],
  }),
  'log-unavailable': later(
    60,
    entry('refuse', 503, 'proxy_internal_error', {
      sv: ['Loggen kan inte skrivas', 'Utan logg släpps ingen trafik fram. Kontakta IT-supporten.'],
      en: ['The log cannot be written', 'No record, no traffic. Ask IT support.'],
    }),
  ),
  'ledgers-full': entry('refuse', 503, 'proxy_internal_error', {
    sv: [
      'Minuterna kan inte räknas',
      'Fler användare än proxyn är inställd för. Kontakta IT-supporten.',
    ],
    en: ['Minutes cannot be counted', 'More users than the proxy is set for. Ask IT support.'],
  }),
  'connections-full': later(
    10,
    entry('refuse', 503, 'connection_limit_reached', {
      sv: ['För många anslutningar', 'Prova igen om en stund.'],
      en: ['Too many connections', 'Try again in a while.'],
    }),
  ),
  'connections-of-address': later(
    10,
    entry('refuse', 503, 'connection_limit_reached', {
      sv: [
        'För många anslutningar från datorn',
        'Stäng det som inte används och prova igen. Kontakta IT-supporten om det återkommer.',
      ],
      en: [
        'Too many connections from this computer',
        'Close what is not used and try again. Ask IT support if it happens again.',
      ],
    }),
  ),
  'connections-of-user': later(
    10,
    entry('refuse', 503, 'connection_limit_reached', {
      sv: [
        'För många anslutningar för användaren',
        'Stäng det som inte används och prova igen. Kontakta IT-supporten om det återkommer.',
      ],
      en: [
        'Too many connections for this user',
        'Close what is not used and try again. Ask IT support if it happens again.',
      ],
    }),
  ),
  'tunnels-full': later(
    10,
    entry('refuse', 503, 'connection_limit_reached', {
      sv: ['För många öppna anslutningar', 'Prova igen om en stund.'],
      en: ['Too many open tunnels', 'Try again in a while.'],
    }),
  ),
  'logins-of-address': later(
    60,
    entry('refuse', 429, 'http_request_denied', {
      sv: [
        'För många felaktiga inloggningar',
        'Från den här datorn har fel lösenord angetts många gånger. Vänta några minuter och prova igen.',
      ],
      en: [
        'Too many failed logins',
        'Wrong passwords have come from this computer many times. Wait some minutes and try again.',
      ],
    }),
  ),
  'client-too-slow': entry('refuse', 408, 'http_request_error', {
    sv: ['Anslutningen går för långsamt', 'Begäran kom inte fram i tid. Prova igen.'],
    en: ['The connection is too slow', 'The request did not arrive in time. Try again.'],
  }),
  // What the first bytes of a tunnel say (after `allow`, and after our 200: the tunnel is ended)
  'server-name-mismatch': entry('refuse', 403, 'http_request_denied', {
    sv: ['Servernamnet är ett annat', 'Anslutningen begärdes till ett namn och gällde ett annat.'],
    en: [
      'The server name is another',
      'The connection was asked for under one name and meant another.',
    ],
  }),
  'server-name-missing': entry('refuse', 403, 'http_request_denied', {
    sv: ['Servernamnet saknas', 'Den krypterade anslutningen säger inte vem den gäller.'],
    en: [
      'The server name is missing',
      'The encrypted connection does not say whom it is meant for.',
    ],
  }),
  'server-name-encrypted': entry('refuse', 403, 'http_request_denied', {
    sv: ['Servernamnet är krypterat', 'Den krypterade anslutningen döljer vem den gäller (ECH).'],
    en: [
      'The server name is encrypted',
      'The encrypted connection hides whom it is meant for (ECH).',
    ],
  }),
  'tunnel-not-tls': entry('refuse', 403, 'http_request_denied', {
    sv: ['Inte TLS', 'Anslutningen började med något som inte är TLS, eller med trasig TLS.'],
    en: ['Not TLS', 'The connection began with something that is not TLS, or with broken TLS.'],
  }),
  internal: entry('refuse', 500, 'proxy_internal_error', {
    sv: ['Fel i proxyn', 'Något gick fel hos oss. Prova igen, eller kontakta IT-supporten.'],
    en: ['An error in the proxy', 'Something went wrong here. Try again, or ask IT support.'],
  }),
  // On the way to the origin, after `allow`
  'name-not-found': entry('fail', 502, 'dns_error', {
    sv: ['Webbplatsen finns inte', 'Namnet går inte att slå upp. Kontrollera stavningen.'],
    en: ['The site cannot be found', 'Its name has no address. Check the spelling.'],
  }),
  'resolver-failed': entry('fail', 502, 'dns_error', {
    sv: [
      'Namnet kunde inte slås upp',
      'Namntjänsten (DNS) svarade inte som den ska. Prova igen om en stund, eller kontakta IT-supporten.',
    ],
    en: [
      'The name could not be looked up',
      'The name service (DNS) did not answer as it should. Try again in a while, or ask IT support.',
    ],
  }),
  'dial-failed': entry('fail', 502, 'connection_refused', {
    sv: ['Webbplatsen svarar inte', 'Anslutningen gick inte att öppna. Prova igen om en stund.'],
    en: ['The site does not answer', 'No connection could be opened. Try again in a while.'],
  }),
  'dial-timeout': entry('fail', 504, 'connection_timeout', {
    sv: ['Webbplatsen svarar inte', 'Anslutningen dröjde för länge. Prova igen om en stund.'],
    en: ['The site does not answer', 'Connecting took too long. Try again in a while.'],
  }),
  'origin-closed': entry('fail', 502, 'connection_terminated', {
    sv: ['Webbplatsen bröt anslutningen', 'Svaret kom aldrig. Prova igen om en stund.'],
    en: ['The site closed the connection', 'No answer came. Try again in a while.'],
  }),
  'origin-malformed': entry('fail', 502, 'http_protocol_error', {
    sv: ['Webbplatsens svar är fel', 'Svaret följer inte HTTP och släpps inte igenom.'],
    en: ["The site's answer is wrong", 'It does not follow HTTP and is not passed on.'],
  }),
  'origin-timeout': entry('fail', 504, 'http_response_timeout', {
    sv: ['Webbplatsen svarar för långsamt', 'Svaret kom inte i tid. Prova igen om en stund.'],
    en: ['The site answers too slowly', 'Its answer did not come in time. Try again in a while.'],
  }),
  // Limits that end a connection without a word
  'client-idle': closes(
    'Ingen begäran kom på länge (limits.idleTimeout).',
    'No request came for a long time (limits.idleTimeout).',
  ),
  'tunnel-idle': closes(
    'Inget hördes från någon sida på länge (limits.tunnelIdle).',
    'Neither side said anything for a long time (limits.tunnelIdle).',
  ),
  'tunnel-lifetime': closes(
    'Tunneln hade varit öppen så länge som den får (limits.tunnelLifetime).',
    'The tunnel had been open for as long as it may (limits.tunnelLifetime).',
  ),
  'tls-pages-full': closes(
    'Fler sidor om stopp visas redan än vad som ryms: webbläsaren visar en egen.',
    'More refusal pages are shown already than there is room for: the browser shows its own.',
  ),
  'pool-full': closes(
    'Fler lediga anslutningar till webbplatser än som sparas (limits.poolPerOrigin, limits.poolTotal).',
    'More idle connections to sites than are kept (limits.poolPerOrigin, limits.poolTotal).',
  ),
  'pool-idle': closes(
    'En ledig anslutning till en webbplats behövdes inte i tid (limits.poolIdle).',
    'An idle connection to a site was not needed in time (limits.poolIdle).',
  ),
  'drain-over': closes(
    'Tjänsten stannade och väntade inte längre (limits.drain).',
    'The service stopped and waited no longer (limits.drain).',
  ),
} as const satisfies Record<string, ReasonEntry>

export type Reason = keyof typeof REASONS

export function reasonEntry(reason: Reason): ReasonEntry {
  return REASONS[reason]
}
