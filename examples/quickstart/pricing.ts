/**
 * The price of an invoice.
 *
 * Units     amounts are whole numbers of the currency's smallest unit; rates are basis points (10,000 = 100 %).
 * Order     each line: list price, less the discounts of the tier and of the quantity, plus the energy surcharge, plus
 *           VAT; each step rounded half up. The sum is rounded to what the currency's coins allow.
 */
import { readFile } from 'node:fs/promises'

/** One line of an invoice. */
export interface Line {
  readonly description: string
  readonly quantity: number
  readonly unitPrice: number
  readonly rate: VatRate
}

/** An invoice without its prices. */
export interface Invoice {
  readonly id: string
  readonly customer: {
    readonly name: string
    readonly country: string
    readonly tier: string
    /** With a VAT number: within the EU the customer owes the tax and not the seller. */
    readonly isVatRegistered: boolean
  }
  readonly currency: string
  /** A day: `2026-12-30`. */
  readonly dueDate: string
  readonly lines: readonly Line[]
}

/** Which of a country's two rates. */
export type VatRate = 'standard' | 'reduced'

/** Everything that prices depend on; what is published as the configuration. */
export interface Pricing {
  readonly label: string
  readonly sellerCountry: string
  /** Discount by tier. */
  readonly tiers: Readonly<Record<string, number>>
  /** Discount from a number of pieces on; ascending, the last that fits counts. */
  readonly volumeDiscounts: readonly { readonly quantity: number; readonly discount: number }[]
  readonly energySurcharge: number
  readonly vat: Readonly<Record<string, Readonly<Record<VatRate, number>>>>
  /** Countries in which a registered customer owes the tax. */
  readonly reverseCharge: readonly string[]
  readonly currencies: Readonly<Record<string, Currency>>
}

/** How a currency counts. */
export interface Currency {
  readonly decimals: number
  /** In smallest units. */
  readonly roundTo: number
  /** Ten-thousandths of a unit to the euro. */
  readonly perEuro: number
}

/** The price of an invoice, in smallest units of its currency. */
export interface Price {
  /** By the price list, without discount, surcharge and tax. */
  readonly list: number
  readonly net: number
  readonly vat: number
  readonly total: number
}

const BASIS_POINTS = 10_000
const CENTS_PER_EURO = 100

/**
 * Prices an invoice.
 *
 * @throws RangeError if the pricing does not know its tier, country or currency
 */
export function priceOf(invoice: Invoice, pricing: Pricing): Price {
  const { country, tier, isVatRegistered } = invoice.customer
  const tierDiscount = known(pricing.tiers, tier, 'tier')
  const vatRates = known(pricing.vat, country, 'country')
  const { roundTo } = known(pricing.currencies, invoice.currency, 'currency')
  const isReverseCharged = isVatRegistered && pricing.reverseCharge.includes(country)
  const price = { list: 0, net: 0, vat: 0 }
  for (const { quantity, unitPrice, rate } of invoice.lines) {
    const list = quantity * unitPrice
    const discounted = list - share(list, tierDiscount + volumeDiscount(pricing, quantity))
    const net = discounted + share(discounted, pricing.energySurcharge)
    price.list += list
    price.net += net
    price.vat += isReverseCharged ? 0 : share(net, vatRates[rate])
  }
  return { ...price, total: Math.round((price.net + price.vat) / roundTo) * roundTo }
}

/** Euro cents of an amount. */
export function euroCentsOf(amount: number, currency: string, pricing: Pricing): number {
  const { decimals, perEuro } = known(pricing.currencies, currency, 'currency')
  return Math.round((amount * CENTS_PER_EURO * BASIS_POINTS) / (10 ** decimals * perEuro))
}

/** An amount for people: `1,234.50 EUR`. */
export function formatAmount(amount: number, currency: string, pricing: Pricing): string {
  const { decimals } = known(pricing.currencies, currency, 'currency')
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals }
  return `${(amount / 10 ** decimals).toLocaleString('en', digits)} ${currency}`
}

/** Reads a pricing and checks it as the workers will. */
export async function readPricing(file: string): Promise<Pricing> {
  const result = pricingSchema['~standard'].validate(JSON.parse(await readFile(file, 'utf8')))
  if ('issues' in result) throw new TypeError(`${file}: ${result.issues.map(({ message }) => message).join('; ')}`)
  return result.value
}

/** Refuses what would make prices nonsense. Any library that follows Standard Schema does as well. */
export const pricingSchema = {
  '~standard': {
    version: 1 as const,
    vendor: 'quickstart',
    validate: (input: unknown): { value: Pricing } | { issues: { message: string }[] } => {
      const problem = typeof input === 'object' && input !== null ? problemOf(input) : 'a pricing is an object'
      return problem === null ? { value: input as Pricing } : { issues: [{ message: problem }] }
    },
  },
}

function problemOf(input: Partial<Pricing>): string | null {
  const { tiers, vat, currencies, volumeDiscounts, energySurcharge } = input
  if (!(tiers && vat && currencies && volumeDiscounts && input.reverseCharge)) return 'a part of the pricing is missing'
  const rates = [
    ...Object.values(tiers),
    ...volumeDiscounts.map(({ discount }) => discount),
    ...Object.values(vat).flatMap(({ standard, reduced }) => [standard, reduced]),
    energySurcharge,
  ]
  const isRate = (rate: number | undefined): boolean =>
    rate !== undefined && Number.isInteger(rate) && rate >= 0 && rate < BASIS_POINTS
  return rates.every(isRate) ? null : 'rates are whole basis points from 0 to 9,999'
}

function volumeDiscount({ volumeDiscounts }: Pricing, quantity: number): number {
  return volumeDiscounts.findLast((step) => quantity >= step.quantity)?.discount ?? 0
}

function share(amount: number, basisPoints: number): number {
  return Math.round((amount * basisPoints) / BASIS_POINTS)
}

function known<T>(table: Readonly<Record<string, T>>, key: string, what: string): T {
  const value = Object.hasOwn(table, key) ? table[key] : undefined
  if (value === undefined) throw new RangeError(`the pricing knows no ${what} ${key}`)
  return value
}
