/**
 * Owns: what `explain` says of a TLS server name in the tunnel that it asks about.
 * Never: judges by other rules than the gate's own.
 */
import {
  type Facts,
  type HelloJudgement,
  type Host,
  hostOfServerName,
  judgeHello,
  type Policy,
  reasonEntry,
  type Verdict,
} from '../policy/index.ts'

export interface AskedHello {
  readonly policy: Policy
  /** Of the CONNECT, and the verdict that lets it in. */
  readonly facts: Facts
  readonly verdict: Verdict
  /** As it would be sent; empty: a hello without a name. */
  readonly serverName: string
  /** The facts of the tunnel with this host in place of its own. */
  readonly gather: (host: Host) => Promise<Facts>
}

/** The judgement on a hello with that name. */
export async function judgeAsked(asked: AskedHello): Promise<HelloJudgement> {
  const { policy, facts, verdict, serverName, gather } = asked
  const name = hostOfServerName(serverName)
  const named = name === null ? facts : await gather(name.host)
  const hello = { kind: 'tls', serverName: serverName || null, encrypted: false } as const
  return judgeHello(policy, { facts, verdict }, hello, () => named)
}

/** For the table: the name and how it stands to the host, then what is done. */
export function helloRows({ outcome, serverName, reason, verdict, metered }: HelloJudgement) {
  const then = [
    verdict !== null
      ? `the tunnel is ended: ${verdict.reason}, by ${verdict.rule}`
      : `goes on${reason === null ? '' : `, counted as ${reason}`}`,
    ...(metered === null ? [] : [`metered as ${metered.verdict.metered}`]),
  ]
  return [
    ['server name', serverName === '' ? 'none' : `${serverName} (${outcome})`],
    ['', then.join(', ')],
  ]
}

/** The head of the answer where the verdict is that of the server name: it ends the tunnel, or it is metered. */
export function helloHead({ action, reason, rule }: Verdict): string[] {
  const { title } = reasonEntry(reason).en
  return [`${action.toUpperCase()}: ${title}`, `${reason}, by ${rule}, for the server name`]
}

export function helloJson(judgement: HelloJudgement): object {
  const { outcome, serverName, reason, verdict, metered } = judgement
  return { outcome, serverName, reason, verdict, metered: metered?.verdict.metered ?? null }
}
