/** The arguments of an operation, as the script that writes takes them. */
import type { CreateMode, Operation } from '../../core/backend.ts'
import { placeOf } from './position.ts'

/** The kind of a node as it is stored, and whether its name gets a number. */
const KINDS: Readonly<Record<CreateMode, readonly [kind: string, sequential: string]>> = Object.freeze({
  persistent: ['p', '0'],
  ephemeral: ['e', '0'],
  'persistent-sequential': ['p', '1'],
  'ephemeral-sequential': ['e', '1'],
  container: ['c', '0'],
  'persistent-with-ttl': ['t', '0'],
})

/** Type, path, data, kind (of a check: the creation), if sequential, and version or time to live in milliseconds. */
export function operationArguments(operation: Operation): (string | Buffer)[] {
  switch (operation.type) {
    case 'create': {
      const { path, data, mode, ttlMs } = operation
      return ['C', path, bufferOf(data), ...KINDS[mode], String(ttlMs ?? 0)]
    }
    case 'set':
      return ['S', operation.path, bufferOf(operation.data), '', '', String(operation.version)]
    case 'delete':
      return ['X', operation.path, '', '', '', String(operation.version)]
    case 'check': {
      const { path, version, czxid } = operation
      return ['V', path, '', czxid === undefined ? '' : placeOf(czxid), '', String(version)]
    }
  }
}

/** The data as they are now: what the caller does to them later is not sent. */
function bufferOf(data: Uint8Array): Buffer {
  return Buffer.from(data)
}
