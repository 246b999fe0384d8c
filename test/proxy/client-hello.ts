/**
 * Owns: ClientHello messages as bytes, right ones and every kind of wrong one, and ways to cut them up.
 * Never: asserts anything, or uses the reader it is for.
 */

/** `value` in `bytes` bytes, network order. */
export function number(bytes: number, value: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  buffer.writeUIntBE(value, 0, bytes)
  return buffer
}

/** `content` with its length before it, in `bytes` bytes; `lie` is added to that length. */
export function vector(bytes: number, content: Buffer, lie = 0): Buffer {
  return Buffer.concat([number(bytes, content.length + lie), content])
}

export function extension(type: number, content: Buffer, lie = 0): Buffer {
  return Buffer.concat([number(2, type), vector(2, content, lie)])
}

/** One entry of a ServerNameList; type 0 is host_name. */
export function nameEntry(name: string | Buffer, type = 0): Buffer {
  return Buffer.concat([number(1, type), vector(2, Buffer.from(name))])
}

export function serverNames(...entries: Buffer[]): Buffer {
  return extension(0, vector(2, Buffer.concat(entries)))
}

/** Of an encrypted hello: 0 is the outer one, 1 the inner. */
export const ech = (type = 0) => extension(0xfe0d, Buffer.from([type, ...Array(40).fill(7)]))

export interface HelloParts {
  /** Null: no extensions at all, as before TLS 1.2. */
  readonly extensions?: readonly Buffer[] | null
  readonly sessionId?: Buffer
  readonly ciphers?: Buffer
  readonly compression?: Buffer
  /** Added to the length of the extensions. */
  readonly extensionsLie?: number
  readonly after?: Buffer
}

/** The body of a ClientHello. */
export function helloBody(parts: HelloParts = {}): Buffer {
  const {
    extensions = [serverNames(nameEntry('www.example.se'))],
    sessionId = Buffer.alloc(32, 5),
    ciphers = Buffer.from([0x13, 0x01, 0x13, 0x02]),
    compression = Buffer.from([0]),
    extensionsLie = 0,
    after = Buffer.alloc(0),
  } = parts
  return Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 9),
    vector(1, sessionId),
    vector(2, ciphers),
    vector(1, compression),
    ...(extensions === null ? [] : [vector(2, Buffer.concat(extensions), extensionsLie)]),
    after,
  ])
}

/** A handshake message: type 1 is ClientHello; `lie` is added to its length. */
export function message(body: Buffer, { type = 1, lie = 0 } = {}): Buffer {
  return Buffer.concat([number(1, type), vector(3, body, lie)])
}

/** One record; type 0x16 is handshake. */
export function tlsRecord(content: Buffer, { type = 0x16, version = 0x0301 } = {}): Buffer {
  return Buffer.concat([number(1, type), number(2, version), vector(2, content)])
}

/** A message as records of at most `size` bytes. */
export function tlsRecords(content: Buffer, size: number): Buffer {
  const records: Buffer[] = []
  for (let at = 0; at < content.length; at += size) {
    records.push(tlsRecord(content.subarray(at, at + size)))
  }
  return Buffer.concat(records)
}

/** A whole hello in one record. */
export const clientHello = (parts: HelloParts = {}) => tlsRecord(message(helloBody(parts)))

/** A hello with just this ServerNameList. */
export const helloFor = (...entries: Buffer[]) =>
  clientHello({ extensions: [serverNames(...entries)] })
