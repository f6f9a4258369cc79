/** Curator's JSON of an instance: what is written, and what is read. */
import { expect, it } from 'vitest'
import { decodeInstance, encodeInstance } from '../../../src/recipes/services/service-instance.ts'
import type { ServiceInstance } from '../../../src/recipes/services/service-instance.ts'

const DB: ServiceInstance = {
  name: 'db',
  id: 'id-1',
  address: '10.0.0.1',
  port: 1234,
  sslPort: null,
  payload: null,
  registrationTimeUTC: 1_795_870_642_243,
  serviceType: 'DYNAMIC',
  uriSpec: null,
  enabled: true,
}
/** The bytes that Curator 5.4 and 5.9 have stored for it. */
const STORED = '{"name":"db","id":"id-1","address":"10.0.0.1","port":1234,"sslPort":null,"payload":null,'
  + '"registrationTimeUTC":1795870642243,"serviceType":"DYNAMIC","uriSpec":null}'

function text(instance: Partial<ServiceInstance>): string {
  return new TextDecoder().decode(encodeInstance({ ...DB, ...instance }))
}

function read(stored: string): ServiceInstance {
  return decodeInstance(new TextEncoder().encode(stored))
}

it('is written as Curator writes it, to the byte', () => {
  expect(text({})).toBe(STORED)
  expect(text({ enabled: false })).toBe(`${STORED.slice(0, -1)},"enabled":false}`)
  expect(text({ payload: 'text' })).toContain('"payload":"text",')
  expect(text({ payload: { a: 1 } })).toContain('"payload":{"@class":"java.util.LinkedHashMap","a":1},')
  expect(text({ payload: { '@class': 'com.example.Bean', a: 1 } })).toContain('{"@class":"com.example.Bean","a":1}')
  const parts = [{ value: 'scheme', variable: true }, { value: '://', variable: false }]
  expect(text({ uriSpec: { parts } })).toContain(
    '"uriSpec":{"parts":[{"value":"scheme","variable":true},{"value":"://","variable":false}]}',
  )
})

it('is read back as it was', () => {
  expect(read(STORED)).toEqual(DB)
  const parts = [{ value: 'address', variable: true }]
  const whole = { ...DB, sslPort: 443, payload: { '@class': 'x', a: [1] }, uriSpec: { parts }, enabled: false } as const
  expect(decodeInstance(encodeInstance(whole))).toEqual(whole)
})

it('is read as Curator reads it where something is missing, unknown or a string', () => {
  const nothing = { name: '', id: '', address: null, port: null, registrationTimeUTC: 0, serviceType: 'DYNAMIC' }
  expect(read('{}')).toMatchObject({ ...nothing, enabled: true })
  expect(read('{"port":"80","serviceType":null,"unknown":{}}')).toMatchObject({ port: 80, serviceType: 'DYNAMIC' })
  for (const type of ['STATIC', 'PERMANENT', 'DYNAMIC_SEQUENTIAL']) {
    expect(read(`{"serviceType":"${type}"}`).serviceType).toBe(type)
  }
})

it('is refused where Curator refuses it, with what is wrong', () => {
  expect(() => read('')).toThrow(/JSON/)
  expect(() => read('[]')).toThrow(/an array/)
  expect(() => read('{"payload":[]}')).toThrow('payload is an array')
  expect(() => read('{"serviceType":"SOMETIMES"}')).toThrow('serviceType is "SOMETIMES"')
  expect(() => read('{"port":70000}')).toThrow('port is 70000')
  expect(() => read('{"address":{}}')).toThrow('address is')
  expect(() => read('{"uriSpec":{"parts":[1]}}')).toThrow('a part of uriSpec is 1')
  expect(() => decodeInstance(Uint8Array.of(0x22, 0xff, 0x22))).toThrow()
  expect(() => text({ payload: [1] })).toThrow('payload must not be an array')
  expect(() => text({ payload: { at: new Date(0) } })).toThrow(/Date/)
})
