/** Encrypted values: that nothing shows them, and that they are refused where they do not belong. */
import { expect, it } from 'vitest'
import { ConfigCenter } from '../../../src/recipes/config/config-center.ts'
import { ConfigTree } from '../../../src/recipes/config/config-tree.ts'
import { secretCodec, secretText } from '../../../src/recipes/config/secret-codec.ts'
import type { SecretKey } from '../../../src/recipes/config/secret-codec.ts'
import { closeAll, codeOf, failureOf, newRig, pass, run, useVirtualTime } from '../rig.ts'

useVirtualTime()

interface Login {
  readonly user: string
  readonly password: string
}

const PATH = '/config/login'
const LOGIN: Login = { user: 'ann', password: 'correct horse' }

function keyOf(id: string, byte: number): SecretKey {
  return { id, bytes: new Uint8Array(32).fill(byte) }
}

const codec = secretCodec<Login>({ keys: [keyOf('k1', 1)] })

function failureIn(read: () => unknown): string {
  try {
    return String(read())
  } catch (error) {
    return String(error)
  }
}

it('is read by who has the key, and shows nothing to others but the id of the key', () => {
  const bytes = codec.encode(LOGIN, PATH)
  expect(codec.decode(bytes, PATH)).toEqual(LOGIN)
  expect(codec.format).toBe('json+aes-256-gcm')
  const text = new TextDecoder('latin1').decode(bytes)
  expect(text.startsWith('quorate-secret 1 k1\n')).toBe(true)
  expect(text).not.toMatch(/ann|horse|password/)
  expect(secretText(bytes)).toBe('a secret, encrypted with the key k1')
  expect([secretText(new Uint8Array()), secretText(new TextEncoder().encode('"x"'))]).toEqual([null, null])
  // The same value never twice the same bytes.
  expect(codec.encode(LOGIN, PATH)).not.toEqual(bytes)
})

it('is refused at another path, with another key of that id, and after any change of a byte', () => {
  const bytes = codec.encode(LOGIN, PATH)
  expect(failureIn(() => codec.decode(bytes, '/config/other'))).toMatch(/cannot be decrypted/)
  const other = secretCodec<Login>({ keys: [keyOf('k1', 2)] })
  expect(failureIn(() => other.decode(bytes, PATH))).toMatch(/cannot be decrypted/)
  const third = secretCodec<Login>({ keys: [keyOf('k3', 3)] })
  expect(failureIn(() => third.decode(bytes, PATH))).toMatch(/encrypted with the key k1, which this process does not/)
  for (let index = 0; index < bytes.length; index += 1) {
    const changed = bytes.with(index, (bytes[index] ?? 0) ^ 1)
    expect(failureIn(() => codec.decode(changed, PATH))).toMatch(/cannot be decrypted|not encrypted|does not have/)
  }
  for (let length = 0; length < bytes.length; length += 1) {
    expect(failureIn(() => codec.decode(bytes.subarray(0, length), PATH))).toMatch(/decrypted|not encrypted/)
  }
  expect(failureIn(() => codec.encode(LOGIN))).toMatch(/only for configurations/)
})

it('reads with old keys, and writes with the first', () => {
  const bytes = codec.encode(LOGIN, PATH)
  const rotated = secretCodec<Login>({ keys: [keyOf('k2', 2), keyOf('k1', 1)] })
  expect(rotated.decode(bytes, PATH)).toEqual(LOGIN)
  expect(secretText(rotated.encode(LOGIN, PATH))).toMatch(/k2/)
})

it.each([
  [{ keys: [] }, /1 to 64 keys/], [{ keys: 'k' }, /array/],
  [{ keys: [{ id: 'k 1', bytes: new Uint8Array(32) }] }, /id/],
  [{ keys: [{ id: 'k1', bytes: new Uint8Array(31) }] }, /k1 must be a Uint8Array of 32 bytes/],
  [{ keys: [keyOf('a', 1), keyOf('a', 2)] }, /two keys a/], [{ keys: [keyOf('a', 1)], key: 1 }, /key/],
])('refuses %j', (options, message) => {
  expect(() => secretCodec(options as Parameters<typeof secretCodec>[0])).toThrow(message)
})

it('goes through history, rollback, roll-out and copies, and nothing of it is stored in the clear', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const saved: Uint8Array[] = []
  const cacheTo = {
    name: 'memory',
    load: () => Promise.resolve(null),
    save: (bytes: Uint8Array | null) => {
      if (bytes !== null) saved.push(bytes)
      return Promise.resolve()
    },
  }
  const config = new ConfigCenter<Login>(client, PATH, { codec, member: { id: 'a' }, cacheTo })
  await run(config.publish(LOGIN, { comment: 'first' }))
  await run(config.publish({ ...LOGIN, password: 'battery staple' }))
  expect(await run(config.diff(1, 2))).toMatchObject([{ place: '/password', before: 'correct horse' }])
  await run(config.rollback(1))
  await run(config.publish({ ...LOGIN, password: 'staged staple' }, { rollout: { percent: 100 } }))
  await pass(100)
  expect([config.current?.password, config.source]).toEqual(['staged staple', 'staged'])
  await run(config.rollout.promote())
  const [last, , rolledBack] = await run(config.history())
  expect([last?.value?.password, rolledBack?.value?.password]).toEqual(['staged staple', 'correct horse'])
  expect(rolledBack).toMatchObject({ format: 'json+aes-256-gcm', comment: 'first' })
  await pass(100)
  const paths = rig.control.nodes().map(({ path }) => path)
  const stored = [...saved]
  for (const path of paths) stored.push((await run(client.get(path))).data)
  expect(stored.length).toBeGreaterThan(8)
  for (const bytes of stored) expect(Buffer.from(bytes).toString('latin1')).not.toMatch(/horse|staple/)
  expect(await closeAll(rig, client)).toEqual([])
})

it('is bound to its key in a tree, and reported where it was copied to', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const tree = new ConfigTree<Login>(client, '/config', { codec })
  await run(tree.ready())
  await run(tree.publish('a', LOGIN))
  const { data } = await run(client.get('/config/a'))
  await run(client.create('/config/b', data))
  await pass(100)
  expect([...tree.all().keys()]).toEqual(['a'])
  expect(rig.errors.map(codeOf)).toEqual(['INVALID_VALUE/corrupt'])
  expect(String(rig.errors[0])).not.toMatch(/horse/)
  const plain = new ConfigCenter<Login>(client, '/config/a')
  expect(codeOf(await failureOf(plain.get()))).toBe('INVALID_VALUE/corrupt')
  expect(await closeAll(rig, client)).toEqual([])
})
