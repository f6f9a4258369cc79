/**
 * A configuration file of ZooKeeper, and the dynamic file that it names.
 *
 * Input     the file; after a line of `====`, the dynamic file.
 * Promises  it is read, or refused as a {@link Failure} that names the file; no secret of it is in a message; each line
 *           of a server that was read is written and read as the same.
 */
import { isDeepStrictEqual } from 'node:util'
import { Failure } from '../../src/cli/exit-status.ts'
import { readZooCfg } from '../../src/cli/zoo-cfg.ts'
import { parseServerLine, serverLineText } from '../../src/backends/wire/server-line.ts'
import { textMutators } from '../mutators.ts'
import { PURE_LIMITS, promise } from '../target.ts'
import type { Target } from '../target.ts'

const BORDER = '\n====\n'
const FILE = 'zoo.cfg'
const DYNAMIC_FILE = 'zoo.cfg.dynamic'
/** Stands where a secret does in the seeds: in the password of a key store and in the superuser's digest. */
const SECRET = 'f00zsecret'

const KEYS = [
  ...['tickTime', 'dataDir', 'dataLogDir', 'clientPort', 'clientPortAddress', 'maxClientCnxns', 'initLimit'],
  ...['syncLimit', 'minSessionTimeout', 'maxSessionTimeout', '4lw.commands.whitelist', 'autopurge.purgeInterval'],
  ...['autopurge.snapRetainCount', 'snapCount', 'standaloneEnabled', 'reconfigEnabled', 'localSessionsEnabled'],
  ...['DigestAuthenticationProvider.superDigest', 'admin.serverPort', 'admin.enableServer', 'ssl.keyStore.location'],
  ...['ssl.keyStore.password', 'secureClientPort', 'ssl.trustStore.location', 'sslQuorum', 'dynamicConfigFile'],
  ...['server.1', 'server.2', 'peerType', 'quorumListenOnAllIPs', 'jute.maxbuffer', 'group.1', 'weight.1'],
  ...['quorate.insecure', 'authProvider.1', 'quorum.auth.enableSasl', 'electionAlg', 'enforce.auth.enabled'],
  ...['=', '127.0.0.1:2888:3888:participant;2181', '[::1]:1:2:observer;[::]:3', BORDER, '\\\n', '\\u0041', '# '],
]

const PLAIN = `tickTime=2000
dataDir=/var/lib/zookeeper
clientPort=2181
initLimit=10
syncLimit=5
4lw.commands.whitelist=srvr, mntr
# a comment
admin.enableServer=false
maxClientCnxns=60
`
const THREE = `server.1=127.0.0.1:2888:3888:participant;2181
server.2=host:2889:3889
server.3=[::1]:2890:3890:observer
`
const DYNAMIC = 'server.1=a:1:2:participant;3\nserver.2=b:1:2;0.0.0.0:3\nversion=1\n'
const SEEDS = [
  PLAIN,
  PLAIN + THREE,
  `${PLAIN}dynamicConfigFile=${DYNAMIC_FILE}\n${BORDER}${DYNAMIC}`,
  `${PLAIN}DigestAuthenticationProvider.superDigest=super:${SECRET}\nquorate.insecure=true\n`,
  `secureClientPort=2281\nssl.keyStore.location=/k.p12\nssl.keyStore.password=${SECRET}\nssl.clientAuth=need\n`,
]

/** Whether the secret stands where secrets do, and nowhere else. */
function keepsSecrets(text: string): boolean {
  const isKept = (line: string): boolean => {
    return /^\s*(ssl\.keyStore\.password|DigestAuthenticationProvider\.superDigest)\s*[=:]/.test(line)
  }
  return !/[\\\r]/.test(text) && text.split('\n').every((line) => !line.includes(SECRET) || isKept(line))
}

function isOnOneLine(message: string): boolean {
  return !/\p{Cc}/u.test(message)
}

/** The target. */
export const zooCfg: Target = {
  name: 'zoo-cfg',
  reads: 'zoo.cfg and its dynamic file',
  limits: PURE_LIMITS,
  mutators: textMutators(KEYS),
  isPure: true,
  seeds: () => SEEDS.map((text) => Buffer.from(text)),
  run(input) {
    const [text = '', dynamic] = Buffer.from(input).toString('utf8').split(BORDER)
    const readFile = (path: string): string => {
      if (dynamic !== undefined && path.endsWith(DYNAMIC_FILE)) return dynamic
      throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
    }
    try {
      const { servers, notices } = readZooCfg(text, FILE, readFile)
      for (const [id, line] of Object.entries(servers)) {
        const server = parseServerLine(line, `server.${id}`)
        const [, written = ''] = serverLineText(Number(id), server).split(/=(.*)/s)
        const again = parseServerLine(written, `server.${id}`)
        const isSame = isDeepStrictEqual({ ...again, client: null }, { ...server, client: null })
        promise(isSame, `${line} is read as another`)
      }
      for (const notice of notices) promise(isOnOneLine(notice), `a notice with control characters: ${notice}`)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      const { message } = error
      promise(isOnOneLine(message), `a message with control characters: ${message}`)
      promise(!keepsSecrets(text) || !message.includes(SECRET), `a secret is in a message: ${message}`)
    }
  },
}
