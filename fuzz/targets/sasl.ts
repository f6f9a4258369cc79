/**
 * SASL: the messages of both mechanisms, read by servers and by clients, and the files that hold users.
 *
 * Input     a form, and after lines of `====` what it reads: the tokens of an exchange in their order, or one file.
 * Promises  a token is answered, or refused with a reason; a server takes those proofs alone that were made by somebody
 *           with the password, for its own challenge (nobody here makes others: it takes a hash); a client sends no
 *           password and does no more work than it has to; files are read, or refused with file and line, and what was
 *           read is written and read as the same; no password and no control character is in a message.
 */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { isCoordinationError } from '../../src/core/errors.ts'
import { readJaasUsers } from '../../src/backends/embedded/host/sasl/jaas-file.ts'
import { readVerifiers } from '../../src/backends/embedded/host/sasl/verifier-file.ts'
import { digestClient, digestServer } from '../../src/backends/sasl/digest-md5.ts'
import { chosenBy } from '../../src/backends/sasl/mechanism.ts'
import type { ClientExchange, ServerExchange } from '../../src/backends/sasl/mechanism.ts'
import { SCRAM_ROUNDS_MAX, SCRAM_ROUNDS_MIN, SCRAM_SALT_BYTES_MAX } from '../../src/backends/sasl/scram.ts'
import { scramClient, scramServer } from '../../src/backends/sasl/scram.ts'
import type { MakeScramKeys, ScramVerifier } from '../../src/backends/sasl/scram.ts'
import { verifierLine } from '../../src/backends/sasl/verifier-line.ts'
import { textMutators } from '../mutators.ts'
import { PURE_LIMITS, promise } from '../target.ts'
import type { Target } from '../target.ts'

const BORDER = '\n====\n'
/** The forms of an input by their first characters. */
const FORMS = ['digest-server', 'digest-client', 'scram-server', 'scram-client', 'jaas', 'verifiers'] as const
const USER = 'ann'
const SECRET = 'f00zsecret'
const NONCE = 'c2VydmVyLW5vbmNl'
const CLIENT_NONCE = 'Y2xpZW50'
const FILE = 'users.conf'
const TOKENS_MAX = 4

const KEY_BYTES = 32
const CLIENT_KEY = new Uint8Array(KEY_BYTES).fill(1)
const SERVER_KEY = new Uint8Array(KEY_BYTES).fill(2)
const VERIFIER: ScramVerifier = {
  salt: Buffer.from('salt of ann'),
  rounds: SCRAM_ROUNDS_MIN,
  storedKey: createHash('sha256').update(CLIENT_KEY).digest(),
  serverKey: SERVER_KEY,
}

/** The keys of the password, without the work; the server may not ask for more of it, or for less. */
const keysOf: MakeScramKeys = (_password, salt, rounds) => {
  promise(rounds >= SCRAM_ROUNDS_MIN && rounds <= SCRAM_ROUNDS_MAX, `a client does ${rounds} rounds`)
  promise(salt.length > 0 && salt.length <= SCRAM_SALT_BYTES_MAX, `a client takes a salt of ${salt.length} bytes`)
  return Promise.resolve({ clientKey: CLIENT_KEY, serverKey: SERVER_KEY })
}

const serverOfDigest = (nonce = NONCE): ServerExchange => digestServer(nonce, (user) => (user === USER ? SECRET : null))
const serverOfScram = (nonce = NONCE): ServerExchange => {
  return scramServer(nonce, (user) => (user === USER ? VERIFIER : null), () => ({ ...VERIFIER, serverKey: CLIENT_KEY }))
}
const clientOfDigest = (user = USER): ClientExchange => digestClient(user, SECRET, CLIENT_NONCE)
const clientOfScram = (user = USER): ClientExchange => scramClient(user, SECRET, CLIENT_NONCE, keysOf)

/** The tokens of an exchange that goes well. */
interface Exchange {
  readonly ofClient: readonly Uint8Array[]
  readonly ofServer: readonly Uint8Array[]
}

async function exchangeOf(client: ClientExchange, server: ServerExchange): Promise<Exchange> {
  const [ofClient, ofServer]: [Uint8Array[], Uint8Array[]] = [[], []]
  for (let token: Uint8Array | null = client.begin(); token !== null;) {
    const chosen = ofClient.length === 0 ? chosenBy(token) : { message: token }
    const message = 'message' in chosen ? chosen.message : token
    ofClient.push(message)
    const step = server.step(message)
    if (step.kind === 'refused') break
    ofServer.push(step.token)
    token = await client.answer(step.token)
  }
  return { ofClient, ofServer }
}

const textOf = (token: Uint8Array | undefined): string => Buffer.from(token ?? []).toString('latin1')
const digest = exchangeOf(clientOfDigest(), serverOfDigest())
const scram = exchangeOf(clientOfScram(), serverOfScram())

function isOnOneLine(message: string): boolean {
  return !/\p{Cc}/u.test(message)
}

function judgeMessage(message: string): void {
  promise(isOnOneLine(message), `a message with control characters: ${message}`)
  promise(!message.includes(SECRET), `a password is in a message: ${message}`)
}

/** @param isProof - whether the tokens prove something */
function judgeServer(
  exchange: ServerExchange,
  tokens: readonly Uint8Array[],
  isProof: (taken: readonly Uint8Array[]) => boolean,
): void {
  for (const [index, token] of tokens.entries()) {
    const step = exchange.step(token)
    if (step.kind === 'refused') {
      judgeMessage(step.reason)
      promise(step.user === null || step.user === USER, 'a refusal names a user that there is not')
    } else if (step.kind === 'proved') {
      promise(step.user === USER, 'somebody else has proved something')
      promise(isProof(tokens.slice(0, index + 1)), 'a proof is taken that nobody made for this challenge')
    }
  }
}

/** @param isProof - whether a token proves that the server knows the password */
async function judgeClient(
  exchange: ClientExchange,
  tokens: readonly Uint8Array[],
  isProof: (token: string) => boolean,
): Promise<void> {
  exchange.begin()
  const isEcho = tokens.some((token) => textOf(token).includes(SECRET))
  for (const token of tokens) {
    try {
      const answer = await exchange.answer(token)
      if (answer === null) {
        promise(isProof(textOf(token)), 'a client takes a proof that no server made')
        return
      }
      promise(isEcho || !textOf(answer).includes(SECRET), 'a client sends its password')
    } catch (error) {
      if (!isCoordinationError(error, 'NO_AUTH')) throw error
      judgeMessage(error.message)
      return
    }
  }
}

/** Reads a file, writes what it holds, and reads that as the same. */
function judgeFile<Value>(
  read: (text: string, file: string) => ReadonlyMap<string, Value>,
  text: string,
  write: (users: ReadonlyMap<string, Value>) => string,
): void {
  let users: ReadonlyMap<string, Value>
  try {
    users = read(text, FILE)
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'Error') throw error
    promise(error.message.startsWith(FILE), `a refusal does not name its file: ${error.message}`)
    judgeMessage(error.message)
    return
  }
  promise(users.size > 0, 'a file without users is taken')
  promise(isDeepStrictEqual(read(write(users), FILE), users), 'users are read as others')
}

function jaasOf(users: ReadonlyMap<string, string>): string {
  const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`
  const options = [...users].map(([user, password]) => `user_${user}=${quoted(password)}`)
  return `Server { org.example.DigestLoginModule required ${options.join(' ')}; };`
}

function linesOf(verifiers: ReadonlyMap<string, ScramVerifier>): string {
  return [...verifiers].map(([user, verifier]) => verifierLine(user, verifier)).join('\n')
}

const JAAS = `// users
Server {
  org.apache.zookeeper.server.auth.DigestLoginModule required
    user_super="${SECRET}" user_ann="a \\"b\\" \\\\";
};
/* of another */ Client { com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true; };
`
const WORDS = [
  ...['n,,', 'y,,', 'p=tls-unique,,', 'n,a=ann,', 'n=', 'r=', 's=', 'i=4096', 'c=biws', 'p=', 'v=', ',', '=2C', '=3D'],
  ...['realm="zk-sasl-md5"', 'nonce="', 'qop="auth"', 'algorithm=md5-sess', 'charset=utf-8', 'username="ann"', 'nc=1'],
  ...['authzid="ann"', 'response=', 'rspauth=', 'cipher=des', 'maxbuf=65536', '\\"', NONCE, CLIENT_NONCE, USER, BORDER],
  ...['Server', 'user_', 'required', '{', '}', ';', '//', '/*', '*/', '${x}', '#', ':', 'SCRAM-SHA-256$4096:', '\r\n'],
  ...['Krb5LoginModule', 'DigestLoginModule', SECRET, '\u00e4', '\u00a0', '\u200b'],
]

async function seeds(): Promise<string[]> {
  const [ofDigest, ofScram] = [await digest, await scram]
  // Of a challenge that is over: nobody may play it again.
  const before = await exchangeOf(clientOfDigest(), serverOfDigest('b2xk'))
  const stranger = await exchangeOf(clientOfScram('eve'), serverOfScram())
  const joined = (form: string, tokens: readonly Uint8Array[]): string => [form, ...tokens.map(textOf)].join(BORDER)
  const users = new Map([[USER, VERIFIER], ['bob', { ...VERIFIER, rounds: SCRAM_ROUNDS_MAX }]])
  return [
    joined('digest-server', ofDigest.ofClient),
    joined('digest-server', before.ofClient),
    joined('digest-client', ofDigest.ofServer),
    joined('scram-server', ofScram.ofClient),
    joined('scram-server', stranger.ofClient),
    joined('scram-client', ofScram.ofServer),
    ['jaas', JAAS].join(BORDER),
    ['jaas', JAAS.replace('};', '};\nServer { a.DigestLoginModule required user_bob="${home}/pass"; };')].join(BORDER),
    ['verifiers', `# users\n\n${linesOf(users)}\n`].join(BORDER),
  ]
}

/** The target. */
export const sasl: Target = {
  name: 'sasl',
  reads: 'messages of SASL, and files of users',
  limits: { ...PURE_LIMITS, inputBytesMax: 12_288 },
  mutators: textMutators(WORDS),
  isPure: true,
  seeds: async () => (await seeds()).map((text) => Buffer.from(text, 'latin1')),
  async run(input) {
    const [form, ...parts] = textOf(input).split(BORDER)
    const tokens = parts.slice(0, TOKENS_MAX).map((part) => Buffer.from(part, 'latin1'))
    const file = Buffer.from(parts.join(BORDER), 'latin1').toString('utf8')
    const [ofDigest, ofScram] = [await digest, await scram]
    for (const token of tokens) {
      const chosen = chosenBy(token)
      if ('refusal' in chosen) judgeMessage(chosen.refusal)
    }
    switch (FORMS.find((known) => known === form)) {
      case 'digest-server': {
        const [, proof = ''] = /response=([0-9a-f]+)/.exec(textOf(ofDigest.ofClient[1])) ?? []
        judgeServer(serverOfDigest(), tokens, (taken) => textOf(taken.at(-1)).includes(proof))
        return
      }
      case 'digest-client': {
        const [proof = ''] = /[0-9a-f]{32}/.exec(textOf(ofDigest.ofServer[1])) ?? []
        return judgeClient(clientOfDigest(), tokens, (token) => token.includes(proof))
      }
      case 'scram-server':
        judgeServer(serverOfScram(), tokens, (taken) => {
          return isDeepStrictEqual(taken.map(textOf), ofScram.ofClient.map(textOf))
        })
        return
      case 'scram-client':
        return judgeClient(clientOfScram(), tokens, (token) => token.startsWith(textOf(ofScram.ofServer[1])))
      case 'jaas':
        judgeFile(readJaasUsers, file, jaasOf)
        return
      case 'verifiers':
        judgeFile(readVerifiers, file, linesOf)
        return
      case undefined:
    }
  },
}
