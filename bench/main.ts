/**
 * Measures Quorate: `npm run bench -- local|wire|locks|recipes|disk|ensemble|fairness [--quick] [--json]`.
 *
 * Prints one JSON line a figure on the standard output as it comes, and at the end a table of all of them on the
 * standard error output, unless `--json` is given. `--quick` shows in some seconds that everything runs; its numbers
 * mean little.
 */
import { measureDisk } from './disk.ts'
import { measureLocal } from './local.ts'
import { measureLocks } from './lock-comparison.ts'
import { measureEnsemble } from './ensemble.ts'
import { measureFairness } from './fairness.ts'
import type { Effort, Figure } from './measure.ts'
import { measureRecipes } from './recipes.ts'
import { tableOf } from './report.ts'
import { measureWire } from './wire.ts'

const FULL: Effort = {
  ...{ warmUpMs: 500, roundMs: 300, rounds: 5, events: 11, handOvers: 2_000 },
  ...{ contentionMs: 2_000, contenders: [10, 100] },
}
const QUICK: Effort = {
  ...{ warmUpMs: 30, roundMs: 30, rounds: 2, events: 2, handOvers: 100 },
  ...{ contentionMs: 100, contenders: [10] },
}

const SUITES: Readonly<Record<string, (effort: Effort) => AsyncIterable<Figure>>> = {
  local: measureLocal,
  wire: measureWire,
  locks: measureLocks,
  recipes: (effort) => measureRecipes(effort),
  disk: (effort) => measureDisk(effort),
  ensemble: (effort) => measureEnsemble(effort),
  fairness: measureFairness,
}

const OPTIONS = ['--quick', '--json']

const USAGE = `usage: npm run bench -- <suite> [--quick] [--json]
suites: ${Object.keys(SUITES).join(', ')}`

/**
 * Runs a suite.
 *
 * @param args - the arguments after the command
 * @returns the exit status: 0, or 2 for a wrong argument
 */
async function main(args: readonly string[]): Promise<number> {
  const options = args.filter((arg) => arg.startsWith('--'))
  const [name = '', ...more] = args.filter((arg) => !arg.startsWith('--'))
  const suite = Object.hasOwn(SUITES, name) ? SUITES[name] : undefined
  if (suite === undefined || more.length > 0 || !options.every((option) => OPTIONS.includes(option))) {
    console.error(USAGE)
    return 2
  }
  const figures: Figure[] = []
  for await (const figure of suite(options.includes('--quick') ? QUICK : FULL)) {
    console.log(JSON.stringify({ suite: name, ...figure }))
    figures.push(figure)
  }
  if (!options.includes('--json')) console.error(`\n${tableOf(figures)}`)
  return 0
}

process.exitCode = await main(process.argv.slice(2))
