/** Texts of others, as they go to a terminal. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonLine } from '../../src/cli/output.ts'
import { isVisible, oneLine, visible, visibleLine } from '../../src/cli/visible.ts'

describe('text that is made visible', () => {
  it.each([
    ['\u001b[2J\u001b[H', '\\x1b[2J\\x1b[H'],
    ['\u009b31m', '\\x9b31m'],
    ['a\rb\bc\u0007\u007f\u0000', 'a\\rb\\x08c\\x07\\x7f\\x00'],
    ['/safe\u202e/gpj.exe', '/safe\\u{202e}/gpj.exe'],
    ['\u2066a\u2069\u200e\u200f\u061c', '\\u{2066}a\\u{2069}\\u{200e}\\u{200f}\\u{61c}'],
    ['/lo\u200bck\ufeff\u00ad\u2060', '/lo\\u{200b}ck\\u{feff}\\xad\\u{2060}'],
    ['a\u2028b\u2029c\u0085d', 'a\\u{2028}b\\u{2029}c\\x85d'],
    ['\u{e0041}\u3164\u115f', '\\u{e0041}\\u{3164}\\u{115f}'],
    ['\ud800x', '\\u{d800}x'],
    ['Grüße, 你好, שלום, 🙂, \\x1b', 'Grüße, 你好, שלום, 🙂, \\x1b'],
  ])('shows %j as %s', (text, shown) => {
    expect(visible(text)).toBe(shown)
    expect(visibleLine(text)).toBe(shown)
    expect(isVisible(shown)).toBe(true)
  })

  it('keeps line breaks and tabs of data, and has none of them in a line', () => {
    expect(visible('a\tb\nc\r\n')).toBe('a\tb\nc\\r\n')
    expect(visibleLine('a\tb\nc\r\n')).toBe('a\\tb\\nc\\r\\n')
    expect(oneLine('a\nb\u001b\u202e')).toBe('a\\nb\\x1b\u202e')
  })

  it('has nothing that a terminal could act on, whatever it was, and is the same again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const shown = visible(text)
        expect(shown).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f]/)
        expect(visible(shown)).toBe(shown)
      }),
    )
  })

  it('means the same as JSON', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const line = jsonLine({ [text]: text })
        expect(JSON.parse(line)).toEqual({ [text]: text })
        expect(isVisible(line.slice(0, -1))).toBe(true)
      }),
    )
  })
})
