/** JAAS files for tests: of a server with users, and of a client. */

const MODULE = 'org.apache.zookeeper.server.auth.DigestLoginModule required'

/** The file of a server that knows users. */
export function jaasOfServer(users: Readonly<Record<string, string>>): string {
  const options = Object.entries(users).map(([user, password]) => `    user_${user}="${password}"`)
  return `Server {\n  ${MODULE}\n${options.join('\n')};\n};\n`
}

/** The file of a Java client. */
export function jaasOfClient(username: string, password: string): string {
  return `Client {\n  ${MODULE}\n    username="${username}"\n    password="${password}";\n};\n`
}
