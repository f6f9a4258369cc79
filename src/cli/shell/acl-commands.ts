/** Commands on who may do what: getAcl, setAcl, addauth, whoami. */
import { environmentPassword, PASSWORD_VARIABLE } from '../credentials.ts'
import type { Ask } from '../credentials.ts'
import { UsageError } from '../exit-status.ts'
import { oneLine } from '../visible.ts'
import type { Command, CommandContext, Given } from './command.ts'
import { versionOf } from './command.ts'
import { permsText, readAcl } from './acl-text.ts'
import { statText } from './node-text.ts'
import { preOrder, readTree } from '../../core/walk-tree.ts'

/** See the head of this file. */
export const ACL_COMMANDS: readonly Command[] = [
  {
    name: 'getAcl',
    usage: '[-s] path',
    summary: 'prints who may do what with a node; -s with its stat',
    flags: { s: 'alone' },
    words: [1, 1],
    run: getAcl,
  },
  {
    name: 'setAcl',
    usage: '[-s] [-v version] [-R] path acl',
    summary: 'says who may do what with a node, such as world:anyone:cdrwa; -R also below it, -v if the list has it',
    flags: { s: 'alone', v: 'value', R: 'alone' },
    words: [2, 2],
    run: setAcl,
  },
  {
    name: 'addauth',
    usage: 'scheme auth',
    summary: 'proves who you are, such as: addauth digest user; the password is asked for',
    details: `  Without a terminal it is that of ${PASSWORD_VARIABLE}.
  addauth digest user:password works too, and can be seen on the screen.
`,
    words: [1, 2],
    run: addAuth,
  },
  {
    name: 'whoami',
    usage: '',
    summary: 'lists the identities of this connection',
    words: [0, 0],
    run: async ({ zookeeper, print }) => {
      const identities = (await zookeeper().whoAmI()).map(({ authScheme, user }) => ({ scheme: authScheme, id: user }))
      const lines = identities.map(({ scheme, id }) => `${oneLine(scheme)}: ${oneLine(id)}\n`)
      print({ text: `Auth scheme: User\n${lines.join('')}`, json: { identities } })
    },
  },
]

async function addAuth({ ask, zookeeper, print }: CommandContext, given: Given): Promise<void> {
  const [scheme = '', auth = ''] = given.words
  const isUser = scheme === 'digest' && auth !== '' && !auth.includes(':')
  await zookeeper().addAuth(scheme, isUser ? `${auth}:${await passwordOf(auth, ask)}` : auth)
  print({ text: '', json: { added: scheme } })
}

async function passwordOf(user: string, ask: Ask | null): Promise<string> {
  if (ask !== null) return ask(`Password of ${user}: `)
  const password = environmentPassword(process.env)
  if (password === null) throw new UsageError(`no password for ${user}: set ${PASSWORD_VARIABLE}`)
  return password
}

async function getAcl({ zookeeper, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(0)
  const { acl, stat } = await zookeeper().getAcl(path)
  const entries = acl.map(({ scheme, id, perms }) => ({ scheme, id, perms: permsText(perms) }))
  const isLong = given.has('s')
  // Java prints an Id as 'scheme,'id.
  const lines = entries.map(({ scheme, id, perms }) => `'${oneLine(scheme)},'${oneLine(id)}\n: ${perms}\n`)
  print({
    text: lines.join('') + (isLong ? statText(stat) : ''),
    json: { path, acl: entries, ...(isLong ? { stat } : {}) },
  })
}

async function setAcl({ client, zookeeper, signal, print }: CommandContext, given: Given): Promise<void> {
  const [path = '', text = ''] = given.words
  const acl = readAcl(text)
  const version = versionOf(given)
  if (given.has('R')) {
    const nodes = [...preOrder(await readTree(client(), path, signal))]
    for (const node of nodes) await zookeeper().setAcl(node.path, acl, version)
    print({ text: '', json: { path, nodes: nodes.length } })
    return
  }
  const stat = await zookeeper().setAcl(path, acl, version)
  const isLong = given.has('s')
  print({
    text: isLong ? statText(stat) : '',
    json: { path, aversion: stat.aversion, ...(isLong ? { stat } : {}) },
  })
}
