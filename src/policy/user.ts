/**
 * Owns: the names of people and groups as the policy compares them, and the key of a ledger.
 * Never: knows how a name was proved; that is identity's work.
 */

/** NFC, lower case, no blanks around: directories do not tell `Anna` from `anna`, nor may we. */
export type UserName = string & { readonly __brand: 'UserName' }

export const USER_NAME_LENGTH_MAX = 100

/** The comparable form of a user's or group's name, or null where it is empty, too long or has controls. */
export function parseUserName(text: string): UserName | null {
  const name = text.toLowerCase().normalize('NFC').trim()
  if (name === '' || name.length > USER_NAME_LENGTH_MAX) return null
  // biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what this looks for
  return /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(name) ? null : (name as UserName)
}

/** How we know who it is: a proved name, the address itself, or only the part of the network. */
export type IdentityKind = 'user' | 'address' | 'network'

/** Who sends a request. `user` is a name within its zone, or the address or zone itself. */
export interface Identity {
  readonly kind: IdentityKind
  readonly user: string
  readonly groups: readonly string[]
}

/** What a ledger belongs to: the same name in two zones is two people, each quota category its own day. */
export interface LedgerOwner {
  readonly zone: string
  readonly user: string
  readonly category: string
}

const SEPARATOR = '\u0000'

export function ledgerKey({ zone, user, category }: LedgerOwner): string {
  return [zone, user, category].join(SEPARATOR)
}

export function ledgerOwner(key: string): LedgerOwner {
  const [zone = '', user = '', category = ''] = key.split(SEPARATOR)
  return { zone, user, category }
}
