/** The parts of an ensemble that has its platform's timers and randomness, and nothing else: no ports, no files. */
import { MemoryStorages } from './memory-storages.ts'
import type { EnsembleParts } from './parts.ts'

const U32_BYTES = 4

/** Bytes that nobody can guess, from the Web Crypto API. */
function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length))
}

/** See {@link EnsembleParts}. */
export const MEMORY_PARTS: EnsembleParts = Object.freeze({
  random: {
    u32: () => new DataView(randomBytes(U32_BYTES).buffer).getUint32(0),
    bytes: randomBytes,
  },
  digest: () => {
    throw new TypeError('an ensemble in memory has no SHA-1 here: nobody can show a password of the digest scheme')
  },
  saslOf: () => {
    throw new TypeError('an ensemble in memory has no files: leave sasl out')
  },
  portsOf: ({ clientPort, secureClientPort }) => {
    if (clientPort === null && secureClientPort === null) return { port: null, admin: null }
    throw new TypeError('an ensemble in memory has no ports: leave clientPorts, secureClientPorts and adminPorts out')
  },
  storagesOf: ({ dataDir }) => {
    if (dataDir === null) return new MemoryStorages()
    throw new TypeError('an ensemble in memory has no files: leave dataDir out')
  },
  configurationText: () => '',
} satisfies EnsembleParts)
