/**
 * Owns: how the data plane tells the portal who asks: one field, and the key that proves it.
 * Never: says who somebody is without the key.
 *
 * It lives here because proxy writes it and portal reads it, and neither may import the other.
 */
import type { IdentityKind } from './user.ts'

/** Who asks for the portal through the gate. */
export interface Visitor {
  /** The client's address, in canonical text. */
  readonly address: string
  /** How the gate knows them; null: they have not signed in. */
  readonly identity: { readonly kind: IdentityKind; readonly user: string } | null
  /** The address of this machine that they asked at; empty where they did by its name. */
  readonly reachedAt: string
}

/** Lower case. What a client sends under this name never goes on to the portal. */
export const VISITOR_FIELD = 'sluss-visitor'

/** The value of the field, ASCII. `key`: random, of one start of the service; it has no blank. */
export function formatVisitor(key: string, { address, identity, reachedAt }: Visitor): string {
  const who = identity && { kind: identity.kind, user: identity.user }
  const text = JSON.stringify({ address, identity: who, reachedAt })
  return `${key} ${text.replace(/[\u007f-\uffff]/g, escaped)}`
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Whom the field tells of; null where there is none, or where whoever wrote it did not know `key`. */
export function readVisitor(key: string, value: string | undefined): Visitor | null {
  if (key === '' || value === undefined || value[key.length] !== ' ') return null
  // All of it is compared, so that the time says nothing of where it begins to differ.
  let differs = 0
  for (let i = 0; i < key.length; i++) differs |= key.charCodeAt(i) ^ value.charCodeAt(i)
  return differs === 0 ? (JSON.parse(value.slice(key.length + 1)) as Visitor) : null
}
