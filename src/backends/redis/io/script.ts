/** The scripts by name, each with the digest under which a server remembers it. */
import { createHash } from 'node:crypto'
import { CHECK, READ, WRITE } from '../scripts/nodes.ts'
import { ATTACH, END, OPEN, TICK } from '../scripts/session.ts'

/** A script. */
export interface Script {
  readonly text: string
  /** SHA-1 of the text, in hexadecimal: the argument of EVALSHA. */
  readonly sha: string
}

/** Every script there is. */
export const SCRIPTS = Object.freeze({
  open: scriptOf(OPEN),
  attach: scriptOf(ATTACH),
  tick: scriptOf(TICK),
  end: scriptOf(END),
  read: scriptOf(READ),
  check: scriptOf(CHECK),
  write: scriptOf(WRITE),
})

/** Names of scripts. */
export type ScriptName = keyof typeof SCRIPTS

function scriptOf(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}
