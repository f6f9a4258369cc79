/**
 * `quorate/yaml`: configurations in YAML, by the package yaml, an optional peer.
 *
 * It is an entry point of its own, so that nothing else of the package asks for that package.
 *
 * Safety    the core schema of YAML 1.2 alone, which has plain data and nothing to run. A tag that it does not have is
 *           refused, and so is text that its aliases would blow up.
 */
import { parseDocument, stringify } from 'yaml'
import type { Codec } from '../engine/codec.ts'
import { refuseUnfaithful } from '../engine/json-values.ts'

/** How many nodes aliases may stand for, times the aliases that stand for them. */
const ALIASES_MAX = 100

/**
 * Makes a codec that stores plain data as YAML 1.2.
 *
 * @returns a codec for values that JSON can hold; any that it would change in silence (a Map, a Date, a class instance,
 * NaN, an undefined member) is refused, with its place. Other tags, a second document and a name twice are refused too.
 */
export function yamlCodec<T>(): Codec<T> {
  return {
    format: 'yaml',
    isPlain: true,
    encode: (value) => {
      refuseUnfaithful(value)
      return new TextEncoder().encode(stringify(value, { aliasDuplicateObjects: false }))
    },
    decode: (bytes) => decode(new TextDecoder('utf-8', { fatal: true }).decode(bytes)),
  }
}

function decode(text: string): unknown {
  // With `silent` it would pass over a second document.
  const options = { version: '1.2', schema: 'core', resolveKnownTags: false, logLevel: 'error' } as const
  const document = parseDocument(text, { ...options, prettyErrors: false })
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) throw new Error(`YAML: ${problem.message}`)
  return document.toJS({ maxAliasCount: ALIASES_MAX })
}
