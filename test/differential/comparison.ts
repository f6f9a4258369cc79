/** Runs programs on two servers and finds the first thing that differs, with the smallest program that shows it. */
import type { Janitor } from './janitor.ts'
import type { Program, Step } from './program.ts'
import { transcriptOf } from './transcript.ts'
import type { Entry } from './transcript.ts'

/** How many smaller programs are tried. */
const SHRINK_TRIES_MAX = 400

/** A step after which two servers do not say the same. */
export interface Difference {
  readonly program: Program
  /** Index of the step. */
  readonly at: number
  readonly transcripts: readonly [readonly Entry[], readonly Entry[]]
}

/** The two servers, each by its janitor. */
export type Pair = readonly [Janitor, Janitor]

/** @returns the first difference, or null if there is none */
export async function differenceOf(program: Program, pair: Pair): Promise<Difference | null> {
  const transcripts = await Promise.all([transcriptOf(program, pair[0]), transcriptOf(program, pair[1])])
  return firstDifference(program, transcripts)
}

/** @returns the first difference of two transcripts of a program, or null if there is none */
export function firstDifference(program: Program, transcripts: Difference['transcripts']): Difference | null {
  const [left, right] = transcripts
  const at = left.findIndex(({ lines }, index) => lines.join('\n') !== right[index]?.lines.join('\n'))
  return at === -1 && left.length === right.length ? null : { program, at: Math.max(0, at), transcripts }
}

/** Leaves out of a program what its difference does not need. */
export async function shrunk(difference: Difference, pair: Pair): Promise<Difference> {
  let triesLeft = SHRINK_TRIES_MAX
  let best = difference
  const tries = async (steps: readonly Step[]): Promise<boolean> => {
    if (triesLeft === 0) return false
    triesLeft -= 1
    const found = await differenceOf({ ...best.program, steps }, pair)
    if (found !== null) best = { ...found, program: { ...found.program, steps: steps.slice(0, found.at + 1) } }
    return found !== null
  }
  await tries(best.program.steps.slice(0, best.at + 1))
  let size = Math.ceil(best.program.steps.length / 2)
  for (;;) {
    let isSmaller = false
    for (let at = best.program.steps.length - 1; at >= 0; at -= size) {
      const { steps } = best.program
      const from = Math.max(0, at - size + 1)
      isSmaller = (await tries([...steps.slice(0, from), ...steps.slice(at + 1)])) || isSmaller
    }
    if (triesLeft === 0 || (size === 1 && !isSmaller)) break
    size = Math.max(1, Math.floor(size / 2))
  }
  await shrinkBursts(() => best.program.steps, tries)
  return best
}

/** Leaves single requests out of bursts. */
async function shrinkBursts(
  steps: () => readonly Step[],
  tries: (steps: readonly Step[]) => Promise<boolean>,
): Promise<void> {
  for (let index = steps().length - 1; index >= 0; index--) {
    const count = (): number => {
      const step = steps()[index]
      return step?.kind === 'burst' ? step.requests.length : 0
    }
    for (let leftOut = count() - 1; leftOut >= 0 && count() > 1; leftOut--) {
      await tries(
        steps().map((step, i) => {
          if (i !== index || step.kind !== 'burst') return step
          return { ...step, requests: step.requests.filter((_, r) => r !== leftOut) }
        }),
      )
    }
  }
}

/** A difference for the reader: the program, and both transcripts where they differ. */
export function describeDifference({ program, at, transcripts }: Difference, names: readonly [string, string]): string {
  const [left, right] = transcripts
  const lines = [`seed ${program.seed}, step ${at}`]
  const upTo = Math.max(left.length, right.length)
  for (let i = 0; i < upTo && i <= at; i++) {
    const [a, b] = [left[i], right[i]]
    lines.push(`[${i}] ${a?.step ?? b?.step ?? ''}`)
    const add = (entry: Entry | undefined, name: string): unknown =>
      lines.push(...(entry?.lines ?? []).map((line) => `${name}${line}`))
    if (i < at) add(a, '      ')
    else for (const [j, entry] of [a, b].entries()) add(entry, `  ${names[j]}: `)
  }
  return lines.join('\n')
}
