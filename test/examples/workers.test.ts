/** The example of threads and processes that share a lock checks itself. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { compiledPackage } from '../engines/quorate-server.ts'
import { compileExamplesInto } from '../support/compiled.ts'

const RUN_MS_MAX = 120_000

let compiled: ReturnType<typeof compiledPackage>

beforeAll(() => {
  compiled = compiledPackage()
  compileExamplesInto(join(compiled.path, 'examples'))
}, RUN_MS_MAX)

afterAll(() => {
  compiled.remove()
})

it.each(['threads', 'processes'])('loses no addition of its %s, of which one is killed', async (kind) => {
  const program = join(compiled.path, 'examples/workers.js')
  const { stdout } = await promisify(execFile)(process.execPath, [program, kind])
  expect(stdout).toBe('ok   no addition is lost: 34\nok   each holder has a greater token\n'
    + 'ok   all but the one that was killed came to their end\n')
}, RUN_MS_MAX)
