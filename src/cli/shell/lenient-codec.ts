/** Values of others, whatever they are: for commands that only show them. */
import { secretText } from '../../recipes/config/secret-codec.ts'
import type { Codec } from '../../recipes/engine/codec.ts'
import { textOf } from '../output.ts'

/** Decodes JSON; other data are their text, or say how long they are; of a secret it says that it is one. */
export const lenientCodec: Codec<unknown> = {
  encode: () => {
    throw new TypeError('only for reading')
  },
  decode: (bytes) => {
    const secret = secretText(bytes)
    if (secret !== null) return secret
    const text = textOf(bytes)
    if (text === null) return `${bytes.length} bytes`
    try {
      return JSON.parse(text) as unknown
    } catch {
      return text
    }
  },
}
