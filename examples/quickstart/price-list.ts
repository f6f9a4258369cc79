/** The file of prices that an operator edits, and its way to the workers. */
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import type { ConfigCenter } from 'quorate'
import { readPricing } from './pricing.ts'
import type { Pricing } from './pricing.ts'

/** The change of the price list in the middle of the run. */
const CHANGE = {
  label: 'winter',
  tiers: { standard: 0, silver: 400, gold: 1_000, platinum: 1_500 },
  energySurcharge: 310,
}

/** A copy of the prices. */
export class PriceList {
  /** The published price lists, by version. */
  readonly published = new Map<number, Pricing>()
  readonly #file: string
  readonly #config: ConfigCenter<Pricing>

  private constructor(file: string, config: ConfigCenter<Pricing>) {
    this.#file = file
    this.#config = config
  }

  /** Copies a file of prices, to be changed. */
  static async copy(from: string, to: string, config: ConfigCenter<Pricing>): Promise<PriceList> {
    await copyFile(from, to)
    return new PriceList(to, config)
  }

  /** Edits the copy. */
  async change(): Promise<void> {
    const pricing: object = JSON.parse(await readFile(this.#file, 'utf8')) as object
    await writeFile(this.#file, JSON.stringify({ ...pricing, ...CHANGE }, null, 2))
  }

  /**
   * Publishes what is in the copy.
   *
   * @returns a sentence about it
   */
  async publish(signal: AbortSignal): Promise<string> {
    const pricing = await readPricing(this.#file)
    const { version } = await this.#config.publish(pricing, { signal })
    this.published.set(version, pricing)
    return `the ${pricing.label} prices are published as version ${version}`
  }
}
