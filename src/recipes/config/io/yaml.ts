/**
 * YAML by the package yaml: an optional peer, loaded when a configuration asks for it.
 *
 * Safety    the core schema of YAML 1.2 alone, which has plain data and nothing to run. A tag that it does not have is
 *           refused, and so is text that its aliases would blow up.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type * as Yaml from 'yaml'
import { CoordinationError } from '../../../core/errors.ts'
import type { Codec } from '../../engine/codec.ts'
import { refuseUnfaithful } from '../../engine/json-values.ts'

/** How many nodes aliases may stand for, times the aliases that stand for them. */
const ALIASES_MAX = 100
const NOT_INSTALLED = 'the format yaml needs the package yaml, version 2, beside quorate: npm install yaml'

/**
 * Makes a codec for values that JSON can hold, as YAML.
 *
 * @throws CoordinationError `UNSUPPORTED` if the package is not installed
 */
export function yamlCodec(load: () => unknown = loadInstalled): Codec<unknown> {
  const yaml = loadedBy(load)
  return {
    format: 'yaml',
    isPlain: true,
    encode: (value) => {
      refuseUnfaithful(value)
      return new TextEncoder().encode(yaml.stringify(value, { aliasDuplicateObjects: false }))
    },
    decode: (bytes) => decode(yaml, new TextDecoder('utf-8', { fatal: true }).decode(bytes)),
  }
}

function decode(yaml: typeof Yaml, text: string): unknown {
  // With `silent` it would pass over a second document.
  const options = { version: '1.2', schema: 'core', resolveKnownTags: false, logLevel: 'error' } as const
  const document = yaml.parseDocument(text, { ...options, prettyErrors: false })
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) throw new Error(`YAML: ${problem.message}`)
  return document.toJS({ maxAliasCount: ALIASES_MAX })
}

function loadInstalled(): unknown {
  // In a bundle of CommonJS there is no such URL.
  return createRequire(import.meta.url || join(process.cwd(), 'index.js'))('yaml')
}

function loadedBy(load: () => unknown): typeof Yaml {
  try {
    return load() as typeof Yaml
  } catch (cause) {
    const isMissing = (cause as { readonly code?: unknown }).code === 'MODULE_NOT_FOUND'
    const message = isMissing ? NOT_INSTALLED : 'the package yaml does not load'
    throw new CoordinationError('UNSUPPORTED', message, { outcome: 'not-sent', cause })
  }
}
