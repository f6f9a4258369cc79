/** Formats of a configuration: what comes back is what was published, and nothing in a value is ever run. */
import { expect, it } from 'vitest'
import { ConfigCenter } from '../../../src/recipes/config/config-center.ts'
import { ConfigTree } from '../../../src/recipes/config/config-tree.ts'
import type { ConfigFormat } from '../../../src/recipes/config/config-formats.ts'
import { yamlCodec } from '../../../src/recipes/config/yaml.ts'
import { closeAll, codeOf, failureOf, newRig, pass, run, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/config/value'
const encoder = new TextEncoder()

const decodeYaml = (text: string): unknown => yamlCodec().decode(encoder.encode(text))

it.each<[ConfigFormat, unknown, string]>([
  ['json', { a: [1, 'two', null] }, '{"a":[1,"two",null]}'],
  ['text', '\ufeff plain text \u{1f600}\n', '\ufeff plain text \u{1f600}\n'],
  ['bytes', new Uint8Array([1, 2, 255]), ''],
])('holds a value as %s', async (format, value, stored) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const reader = new ConfigCenter(b, PATH, { format })
  const writer = new ConfigCenter(a, PATH, { format, history: true })
  await run(writer.publish(value))
  await pass(100)
  expect(reader.current).toEqual(value)
  const { data } = await run(a.get(PATH))
  if (format !== 'bytes') expect(new TextDecoder('utf-8', { ignoreBOM: true }).decode(data)).toContain(stored)
  expect((await run(writer.history()))[0]).toMatchObject({ format, value })
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('holds a value as YAML, and keeps its history', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const value = { a: [1, 'two', null], yes: 'yes', no: false, at: '2026-01-01', n: '012' }
  const reader = new ConfigCenter(b, PATH, { codec: yamlCodec() })
  const writer = new ConfigCenter(a, PATH, { codec: yamlCodec(), history: true })
  await run(writer.publish(value))
  await pass(100)
  expect(reader.current).toEqual(value)
  expect(new TextDecoder().decode((await run(a.get(PATH))).data)).toContain('a:\n  - 1\n  - two')
  expect((await run(writer.history()))[0]).toMatchObject({ format: 'yaml', value })
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('freezes what everybody in the process gets, also as YAML, and holds a tree of it', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const tree = new ConfigTree<{ list: number[] }>(client, '/limits', { codec: yamlCodec() })
  await run(tree.ready())
  await run(tree.publish('a', { list: [1] }))
  expect(Object.isFrozen(tree.get('a')?.list)).toBe(true)
  expect(await closeAll(rig, client)).toEqual([])
})

it('gives each reader bytes of its own', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = new ConfigCenter<Uint8Array>(client, PATH, { format: 'bytes' })
  const mine = new Uint8Array([1])
  await run(config.publish(mine))
  mine.fill(9)
  expect(config.current).toEqual(new Uint8Array([1]))
  expect(await run(config.get())).toEqual(new Uint8Array([1]))
  expect(await closeAll(rig, client)).toEqual([])
})

it.each<[ConfigFormat, unknown]>([
  ['text', 5],
  ['text', '\ud800'],
  ['bytes', 'text'],
  ['text', ''],
])('refuses as %s what it would change, and sends nothing', async (format, value) => {
  const rig = newRig()
  const client = await rig.connect()
  const config = new ConfigCenter(client, PATH, { format })
  expect(codeOf(await failureOf(config.publish(value)))).toBe('INVALID_VALUE/not-sent')
  expect(rig.control.requestCount({ kind: 'create' })).toBe(0)
  expect(await closeAll(rig, client)).toEqual([])
})

it.each([{ at: new Date(0) }, { n: NaN }, { m: new Map() }, { u: undefined }])('refuses as YAML %o', (value) => {
  expect(() => yamlCodec().encode(value)).toThrow(/ at /)
})

it.each([
  ['a function', 'a: !!js/function "function () { throw 1 }"', /Unresolved tag/],
  ['a tag of somebody', 'a: !secret x', /Unresolved tag/],
  ['a binary', 'a: !!binary aGVsbG8=', /Unresolved tag/],
  ['several documents', 'a: 1\n---\na: 2\n', /multiple documents/],
  ['a key twice', 'a: 1\na: 2\n', /unique/],
  ['an alias of nothing', 'a: *b\n', /alias|anchor/i],
])('refuses YAML with %s', (_what, text, message) => {
  expect(() => decodeYaml(text)).toThrow(message)
})

it('refuses YAML whose aliases stand for a billion values, and takes a few', () => {
  const levels = Array.from('abcdefghi')
  const bomb = levels.map((name, level) => {
    const inner = level === 0 ? '"lol"' : `*${levels[level - 1] ?? ''}`
    return `${name}: &${name} [${Array.from({ length: 9 }, () => inner).join(', ')}]`
  })
  expect(() => decodeYaml(bomb.join('\n'))).toThrow(/alias/i)
  expect(decodeYaml('base: &base {a: 1}\nother: *base\n')).toEqual({ base: { a: 1 }, other: { a: 1 } })
})

it('gives names of YAML no power over what they are put into', () => {
  const value = decodeYaml('__proto__: {isAdmin: true}\n<<: {b: 1}\n') as Record<string, unknown>
  expect(value['isAdmin']).toBeUndefined()
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  expect(Object.keys(value)).toEqual(['__proto__', '<<'])
})

it('refuses a wrong format, and a codec beside one', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const codec = { encode: () => new Uint8Array(1), decode: () => 1 }
  const wrong = { format: 'toml' as ConfigFormat }
  const said = 'format must be one of json, text, bytes, got "toml"'
  expect(() => new ConfigCenter(client, PATH, wrong)).toThrow(said)
  expect(() => new ConfigTree(client, PATH, wrong)).toThrow(said)
  expect(() => new ConfigCenter(client, PATH, { format: 'json', codec })).toThrow('format and codec exclude each other')
  expect(await closeAll(rig, client)).toEqual([])
})
