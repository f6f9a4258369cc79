/**
 * Names and passwords in the form in which they are hashed, so that the same word is the same on every keyboard.
 *
 * Departure the checks for bidirectional text and for characters that Unicode 3.2 does not have are left out: they
 *           would refuse passwords, and change none.
 * Source    RFC 4013 (SASLprep), RFC 3454.
 */

/** Characters that are mapped to a space, and to nothing (RFC 3454, C.1.2 and B.1). */
const SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g
const NOTHING = /[\u00ad\u034f\u1806\u180b-\u180d\u200c\u200d\u2060\ufe00-\ufe0f\ufeff]/g
/** Characters that are refused: controls, private use, surrogates, and others that nobody types. */
const REFUSED = /[\p{Cc}\p{Co}\p{Cs}\u200e\u200f\u2028-\u202e\u206a-\u206f\ufff9-\ufffd\ufdd0-\ufdef\u2ff0-\u2ffb]/u

/**
 * Prepares a text.
 *
 * @throws TypeError if it has a character that is not allowed; the message does not show it
 */
export function prepared(text: string): string {
  const form = text.replace(SPACES, ' ').replace(NOTHING, '').normalize('NFKC')
  if (form === '' || REFUSED.test(form)) {
    throw new TypeError('a name or a password is empty, or has a control character')
  }
  return form
}
