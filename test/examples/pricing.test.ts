import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readJobs } from '../../examples/quickstart/jobs.ts'
import type { Invoice, Pricing } from '../../examples/quickstart/pricing.ts'
import { euroCentsOf, formatAmount, priceOf, pricingSchema, readPricing } from '../../examples/quickstart/pricing.ts'

const JOBS_MIN = 60

const pricing = await readPricing('examples/data/pricing.json')

function invoice(change: { readonly customer?: Partial<Invoice['customer']>; readonly currency?: string }): Invoice {
  const bakery = { name: 'Quillbrook Bakery', country: 'DE', tier: 'gold', isVatRegistered: false }
  const customer = { ...bakery, ...change.customer }
  const lines = [
    { description: 'Rye flour, 25 kg', quantity: 100, unitPrice: 2_000, rate: 'reduced' as const },
    { description: 'Workshop apron', quantity: 1, unitPrice: 3_333, rate: 'standard' as const },
  ]
  return { id: 'INV-1', customer, currency: change.currency ?? 'EUR', dueDate: '2026-12-30', lines }
}

describe('the price of an invoice', () => {
  it('takes off the tier and the quantity, and adds the surcharge and the tax of each line', () => {
    // 200,000 less 9 % is 182,000, and 1.8 % are 3,276; 3,333 less 7 % is 3,100 (3,099.69), and 1.8 % are 56 (55.8).
    // Tax: 7 % of 185,276 are 12,969 (12,969.32), 19 % of 3,156 are 600 (599.64).
    expect(priceOf(invoice({}), pricing)).toEqual({ list: 203_333, net: 188_432, vat: 13_569, total: 202_001 })
  })

  it('leaves the tax to a registered customer in another country of the union', () => {
    const { net, vat, total } = priceOf(invoice({ customer: { isVatRegistered: true } }), pricing)
    expect([vat, total]).toEqual([0, net])
  })

  it('is taxed in the country of the seller even if the customer is registered', () => {
    const customer = { country: 'NL', isVatRegistered: true }
    expect(priceOf(invoice({ customer }), pricing).vat).toBeGreaterThan(0)
  })

  it('is rounded to what the coins allow', () => {
    const { net, vat, total } = priceOf(invoice({ customer: { country: 'CH' }, currency: 'CHF' }), pricing)
    expect(total % 5).toBe(0)
    expect(Math.abs(total - net - vat)).toBeLessThanOrEqual(2)
  })

  it.each([{ tier: 'iron' }, { country: 'XX' }])('is not made up where the pricing does not know %o', (customer) => {
    expect(() => priceOf(invoice({ customer }), pricing)).toThrow(RangeError)
  })

  it('can be shown in its currency and summed up in euros', () => {
    expect(formatAmount(123_450, 'EUR', pricing)).toBe('1,234.50 EUR')
    expect(formatAmount(1_640, 'JPY', pricing)).toBe('1,640 JPY')
    expect(euroCentsOf(1_640, 'JPY', pricing)).toBe(1_000)
    expect(euroCentsOf(8_500, 'GBP', pricing)).toBe(10_000)
  })
})

describe('the schema of the pricing', () => {
  const text = readFileSync('examples/data/pricing.json', 'utf8')
  const isRefused = (change: object): boolean =>
    'issues' in pricingSchema['~standard'].validate({ ...(JSON.parse(text) as Pricing), ...change })

  it.each([
    { tiers: { gold: -1 } },
    { tiers: { gold: 0.07 } },
    { energySurcharge: 10_000 },
    { vat: { DE: { standard: 1_900 } } },
    { currencies: undefined },
  ])('refuses %o', (change) => {
    expect(isRefused(change)).toBe(true)
  })

  it('takes what is in the file', () => {
    expect(isRefused({})).toBe(false)
  })
})

describe('the jobs', () => {
  it('are at least sixty, and every one of them has a price above nothing', async () => {
    const jobs = await readJobs('examples/data/jobs.json')
    expect(jobs.length).toBeGreaterThanOrEqual(JOBS_MIN)
    for (const job of jobs) expect(priceOf(job, pricing).total).toBeGreaterThan(0)
  })
})
