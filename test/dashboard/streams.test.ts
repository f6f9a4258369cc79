/** Live answers: read once for all who look, sent when they are others, and not read for nobody. */
import { afterEach, describe, expect, it } from 'vitest'
import type { Answer } from '../../src/dashboard/api.ts'
import { Refusal } from '../../src/dashboard/refusal.ts'
import { Streams } from '../../src/dashboard/streams.ts'
import { HttpRig } from './rig.ts'

const POLL_MS = 20

describe('a stream', () => {
  const rig = new HttpRig()
  const readers: ReadableStreamDefaultReader<string>[] = []

  afterEach(async () => {
    for (const reader of readers.splice(0)) await reader.cancel()
    await rig.close()
  })

  async function look(url: string): Promise<ReadableStreamDefaultReader<string>> {
    const { body } = await fetch(url)
    if (body === null) throw new Error('no body')
    const reader = body.pipeThrough(new TextDecoderStream()).getReader()
    readers.push(reader)
    return reader
  }

  /** Reads until a text has come; answers with all that has. */
  async function until(reader: ReadableStreamDefaultReader<string>, text: string): Promise<string> {
    let all = ''
    while (!all.includes(text)) all += (await reader.read()).value ?? ''
    return all
  }

  function served(read: () => Promise<Answer<unknown>>): { readonly streams: Streams; readonly url: Promise<string> } {
    const streams = new Streams(read, POLL_MS)
    return { streams, url: rig.listen((_request, response) => streams.open(response, ['topic'])) }
  }

  const answerOf = (data: unknown): Answer<unknown> => {
    return { data, asOfMs: Date.now(), next: null, total: null, untold: {} }
  }

  it('sends an answer once, and again when it is another one, whatever its time', async () => {
    let value = 1
    const { url } = served(async () => answerOf(value))
    const reader = await look(await url)
    await until(reader, '"data":1')
    await new Promise((resolve) => setTimeout(resolve, POLL_MS * 5))
    value = 2
    expect(await until(reader, '"data":2')).not.toContain('"data":1')
  })

  it('reads once for all who look, tells who comes late, and ends with the last', async () => {
    let reads = 0
    let atOnce = 0
    const { streams, url } = served(async () => {
      reads += 1
      atOnce += 1
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      expect(atOnce).toBe(1)
      atOnce -= 1
      return answerOf('same')
    })
    const first = await look(await url)
    await until(first, 'same')
    const second = await look(await url)
    await until(second, 'same')
    expect(streams.topics).toBe(1)
    for (const reader of readers.splice(0)) await reader.cancel()
    await expect.poll(() => streams.topics).toBe(0)
    const before = reads
    await new Promise((resolve) => setTimeout(resolve, POLL_MS * 5))
    expect(reads).toBeLessThanOrEqual(before + 1)
  })

  it('tells a failure, goes on, and tells the answer after it', async () => {
    let fails = true
    const { url } = served(async () => {
      if (fails) throw new Refusal(404, 'NO_NODE', 'gone')
      return answerOf('back')
    })
    const reader = await look(await url)
    expect(await until(reader, 'gone')).toContain('event: failed')
    fails = false
    await until(reader, '"data":"back"')
  })
})
