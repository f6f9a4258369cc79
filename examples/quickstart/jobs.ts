/** The jobs: invoices to be priced. */
import { readFile } from 'node:fs/promises'
import type { Invoice } from './pricing.ts'

/**
 * Reads a file of jobs.
 *
 * @param file - JSON: `{ "jobs": [...] }`
 * @throws TypeError if it has none, or two of one id
 */
export async function readJobs(file: string): Promise<Invoice[]> {
  const { jobs } = JSON.parse(await readFile(file, 'utf8')) as { readonly jobs?: Invoice[] }
  if (!Array.isArray(jobs) || jobs.length === 0) throw new TypeError(`${file} has no jobs`)
  if (new Set(jobs.map(({ id }) => id)).size !== jobs.length) throw new TypeError(`${file} has two jobs of one id`)
  return jobs
}
