/**
 * `quorate completion bash|zsh|fish`: a script by which a shell completes words of `quorate`: commands, their second
 * words, flags and options. Paths are completed in the shell of `quorate` itself, which has a session.
 *
 *     source <(quorate completion bash)              in ~/.bashrc
 *     quorate completion zsh > "${fpath[1]}/_quorate"
 *     quorate completion fish > ~/.config/fish/completions/quorate.fish
 *
 * Source    the commands themselves; options of programs are those that their own help names.
 */
import { OPTION_NAMES, PROGRAM_NAMES, VALUED_OPTION_NAMES } from './command-line.ts'
import { ExitStatus, UsageError } from './exit-status.ts'
import { hint } from './nearest.ts'
import type { Output } from './output.ts'
import { COMMAND_NAMES, COMMANDS } from './shell/commands.ts'
import { secondWordsOf } from './shell/completion.ts'

/** The words that can follow a command. */
interface Following {
  readonly name: string
  readonly words: readonly string[]
}

const USAGE = `usage: quorate completion bash|zsh|fish
Prints a script by which that shell completes the words of quorate:
  bash   source <(quorate completion bash)   in ~/.bashrc
  zsh    quorate completion zsh > "\${fpath[1]}/_quorate"
  fish   quorate completion fish > ~/.config/fish/completions/quorate.fish`

const SHELLS: Readonly<Record<string, (following: readonly Following[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
}

/**
 * Prints a script.
 *
 * @param args - after `completion`
 * @param helpOf - gives the help of a program of its own
 * @returns the exit status
 * @throws UsageError for another shell
 */
export async function printCompletion(
  args: readonly string[],
  output: Output,
  helpOf: (program: string) => Promise<string>,
): Promise<number> {
  const [shell = '', ...more] = args
  if (shell === '--help' || shell === '-h') {
    output.out(`${USAGE}\n`)
    return ExitStatus.ok
  }
  const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined
  if (script === undefined || more.length > 0) {
    const meant = hint(shell, Object.keys(SHELLS)) || `; it takes ${Object.keys(SHELLS).join(', ')}`
    throw new UsageError(`completion has no script for ${JSON.stringify(args.join(' '))}${meant}`)
  }
  output.out(script(await followingOf(helpOf)))
  return ExitStatus.ok
}

async function followingOf(helpOf: (program: string) => Promise<string>): Promise<Following[]> {
  const commands = COMMAND_NAMES.map((name) => {
    const flags = Object.keys(COMMANDS.get(name)?.flags ?? {})
    const dashed = flags.map((flag) => (flag === 'graph' ? `--${flag}` : `-${flag}`))
    return { name, words: [...secondWordsOf(name), ...dashed, '--json', '--help'] }
  })
  const programs = await Promise.all(PROGRAM_NAMES.filter((name) => name !== 'completion').map(async (name) => {
    const named = (await helpOf(name)).match(/--[a-z][a-z-]*/g) ?? []
    return { name, words: [...new Set(named)] }
  }))
  const shells = { name: 'completion', words: Object.keys(SHELLS) }
  return [...commands, ...programs, shells].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function firstWords(following: readonly Following[]): string {
  return [...following.map(({ name }) => name), ...OPTION_NAMES].join(' ')
}

/** A branch for each word. */
function cases(following: readonly Following[]): string {
  return following.map(({ name, words }) => `    ${name}) words='${words.join(' ')}' ;;\n`).join('')
}

function bashScript(following: readonly Following[]): string {
  return `# Completion of quorate for bash: source <(quorate completion bash)
_quorate() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command='' words='' word index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    case "$word" in
      --)
        if ((index == COMP_CWORD - 1)); then COMPREPLY=($(compgen -c -- "$current")); fi
        return ;;
      ${VALUED_OPTION_NAMES.join(' | ')})
        if ((index == COMP_CWORD - 1)) && [[ -z "$command" ]]; then return; fi
        if [[ -z "$command" ]]; then ((index++)); fi ;;
      -*) ;;
      *) if [[ -z "$command" ]]; then command="$word"; fi ;;
    esac
  done
  case "$command" in
    '') words='${firstWords(following)}' ;;
${cases(following)}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _quorate quorate
`
}

function zshScript(following: readonly Following[]): string {
  return `#compdef quorate
# Completion of quorate for zsh: quorate completion zsh > "\${fpath[1]}/_quorate"
_quorate() {
  local command='' candidates='' word
  local -i index
  for ((index = 2; index < CURRENT; index++)); do
    word="\${words[index]}"
    case "$word" in
      --) _files; return ;;
      ${VALUED_OPTION_NAMES.join(' | ')}) if [[ -z "$command" ]]; then ((index++)); fi ;;
      -*) ;;
      *) if [[ -z "$command" ]]; then command="$word"; fi ;;
    esac
  done
  case "$command" in
    '') candidates='${firstWords(following)}' ;;
${cases(following).replaceAll(' words=', ' candidates=')}  esac
  compadd -- \${=candidates} || _files
}
if [[ "\${funcstack[1]}" = _quorate ]]; then _quorate "$@"; else compdef _quorate quorate; fi
`
}

function fishScript(following: readonly Following[]): string {
  const lines = following.map(({ name, words }) => {
    return `complete -c quorate -n '__fish_seen_subcommand_from ${name}' -a '${words.join(' ')}'\n`
  })
  return `# Completion of quorate for fish: quorate completion fish > ~/.config/fish/completions/quorate.fish
complete -c quorate -f -n __fish_use_subcommand -a '${firstWords(following)}'
${lines.join('')}`
}
