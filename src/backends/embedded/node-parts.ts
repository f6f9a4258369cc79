/** The parts of an ensemble on Node.js: ports, files, and the hash and the randomness of the operating system. */
import { configurationText } from './configuration-text.ts'
import { FileStorages } from './file-storages.ts'
import { sha1 } from './host/digest.ts'
import { memoryPercent } from './host/memory-use.ts'
import { systemRandom } from './host/random.ts'
import { SaslUsers } from './host/sasl/sasl-users.ts'
import { MemoryStorages } from './memory-storages.ts'
import { portsOf } from './network-ports.ts'
import type { EnsembleParts } from './parts.ts'

/** See {@link EnsembleParts}. */
export const NODE_PARTS: EnsembleParts = Object.freeze({
  random: systemRandom,
  digest: sha1,
  saslOf: (settings, onEvent) => new SaslUsers(settings, systemRandom, onEvent),
  memoryPercent,
  portsOf,
  storagesOf: (settings, isAlone, onEvent) => {
    const { dataDir } = settings
    return dataDir === null ? new MemoryStorages() : new FileStorages({ ...settings, dataDir }, isAlone, onEvent)
  },
  configurationText,
} satisfies EnsembleParts)
