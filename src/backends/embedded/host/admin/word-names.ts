/** The names of the four-letter words. */

/** All words that can be enabled. */
export const FOUR_LETTER_WORDS = [
  'conf',
  'cons',
  'crst',
  'dirs',
  'dump',
  'envi',
  'gtmk',
  'hash',
  'isro',
  'mntr',
  'ruok',
  'srst',
  'srvr',
  'stat',
  'stmk',
  'wchc',
  'wchp',
  'wchs',
] as const

/** One of them. */
export type FourLetterWord = (typeof FOUR_LETTER_WORDS)[number]
