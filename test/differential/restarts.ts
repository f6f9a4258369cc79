/**
 * Runs programs on a server that restarts between their parts, and writes down what it says, and every node that there
 * is before and after.
 *
 * Order     the first part of each program, one program after the other, then a restart, then their second parts. So
 *           programs share the restarts, which take longer than they do.
 * Restart   the server has stopped or was killed; its clients are still there and resume their sessions.
 * Avoided   programs with quotas: the reference counts them again when it starts. Deliberate difference
 *           "quota-restart".
 */
import type { DurableServer, Ending } from './engines.ts'
import { Janitor } from './janitor.ts'
import type { Program, Step } from './program.ts'
import { Run } from './transcript.ts'
import type { Entry } from './transcript.ts'

/** A program with its run on one server. */
interface Act {
  readonly program: Program
  readonly run: Run
  readonly entries: Entry[]
}

/** The entries of each program, in parts of equal length with these ends of the server between them. */
export async function transcriptsAcross(
  programs: readonly Program[],
  endings: readonly Ending[],
  server: DurableServer,
): Promise<Entry[][]> {
  const janitor = await Janitor.open(server.port)
  const acts = programs.map((program): Act => ({ program, run: new Run(server.port), entries: [] }))
  for (const { program, run } of acts) run.masks.setBase(await janitor.makeRoot(program.root))
  for (let part = 0; part <= endings.length; part++) {
    for (const { program, run, entries } of acts) {
      for (const step of partOf(program.steps, part, endings.length + 1)) entries.push(await run.take(step))
    }
    const ending = endings[part]
    if (ending === undefined) break
    await look(acts, janitor, `every node, before ${ending}`)
    const last = await janitor.lastZxid()
    await server.restart(ending)
    await janitor.comeBack()
    // The first transaction after it, from which those of the programs count on.
    const first = await janitor.makeRoot(`/restart-${part}`)
    for (const { run } of acts) run.restarted(last, first)
    await look(acts, janitor, `every node, after ${ending}`)
    for (const { run, entries } of acts) entries.push(...(await run.comeBack()))
  }
  for (const { run, program } of acts) {
    await run.close()
    await janitor.cleanUp(program.root)
  }
  janitor.close()
  return acts.map(({ entries }) => entries)
}

async function look(acts: readonly Act[], janitor: Janitor, step: string): Promise<void> {
  for (const { run, program: { root }, entries } of acts) {
    entries.push({ step, lines: await janitor.look(root, run.masks) })
  }
}

/** One of so many parts, as equal as can be. */
function partOf(steps: readonly Step[], part: number, parts: number): readonly Step[] {
  const at = (index: number): number => Math.floor((index * steps.length) / parts)
  return steps.slice(at(part), at(part + 1))
}
