/**
 * An ensemble in memory that needs nothing of Node.js but its globals: the entry for other platforms, such as the page
 * of the documentation that runs one in a browser (decision 0029). It is not published.
 */
import { Ensemble } from './ensemble.ts'
import { MEMORY_PARTS } from './memory-parts.ts'
import type { EmbeddedOptions } from './options.ts'

/**
 * Makes an ensemble, as `embedded()` does.
 *
 * @throws TypeError or RangeError for a wrong option; TypeError for one that asks for ports or files
 */
export function memoryEnsemble(options: EmbeddedOptions = {}): Ensemble {
  return new Ensemble(options, MEMORY_PARTS)
}
