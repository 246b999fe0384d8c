/** Owns: what the other folders see of identity. Never: anything of its own. */
export * from './basic.ts'
export * from './identify.ts'
export * from './login-guard.ts'
export * from './scrypt.ts'
export * from './users-file.ts'
export * from './verifier.ts'
