/**
 * Decoders, servers and clients that are wrong on purpose: proof that the fuzzer sees what it is there for.
 *
 * Model     a patch of compiled code, as those of the simulation (sim/mutants).
 */
import type { Edit } from '../sim/mutants/mutant.ts'

/** One broken rule. */
export interface FuzzMutant {
  readonly name: string
  /** The rule, as it is broken. */
  readonly breaks: string
  readonly edits: readonly Edit[]
  /** The target that shows it. */
  readonly target: string
  /** The finding that has to come of it. */
  readonly expected: RegExp
}

/** All mutants. */
export const FUZZ_MUTANTS: readonly FuzzMutant[] = [
  {
    name: 'negative-length',
    breaks: 'A length below zero is not refused where bytes are taken.',
    edits: [{
      file: 'backends/wire/jute.ts',
      from: 'if (length < 0 || length > this.#end - start)',
      to: 'if (length > this.#end - start)',
    }],
    target: 'codec',
    expected: /^RangeError: /,
  },
  {
    name: 'negative-length-at-the-port',
    breaks: 'The same, at the port of a server.',
    edits: [{
      file: 'backends/wire/jute.ts',
      from: 'if (length < 0 || length > this.#end - start)',
      to: 'if (length > this.#end - start)',
    }],
    target: 'port',
    expected: /^RangeError: |^BrokenPromise: /,
  },
  {
    name: 'allocates-what-is-announced',
    breaks: 'Memory is taken for a length before it is known whether so many bytes are there.',
    edits: [{
      file: 'backends/wire/jute.ts',
      from: 'return length === -1 ? null : reader.bytes(length)',
      to: 'new Uint8Array(Math.max(0, length)); return length === -1 ? null : reader.bytes(length)',
    }],
    target: 'codec',
    expected: /^large: |^RangeError: |^ERR_WORKER_OUT_OF_MEMORY|^ended: /,
  },
  {
    name: 'frame-without-limit',
    breaks: 'A frame may be as long as it says.',
    edits: [{
      file: 'backends/wire/framing.ts',
      from: 'if (length < 0 || length > this.#bytesMax)',
      to: 'if (length < 0)',
    }],
    target: 'codec',
    expected: /a frame of \d+ bytes is waited for/,
  },
  {
    name: 'frame-takes-what-follows',
    breaks: 'A frame that was cut in two takes all that comes with its end.',
    edits: [{
      file: 'backends/wire/framing.ts',
      from: 'Math.min(frameEnd - this.#partialBytes, chunk.length - offset)',
      to: 'chunk.length - offset',
    }],
    target: 'codec',
    expected: /^BrokenPromise: (frames depend on|a frame of)|^RangeError/,
  },
  {
    name: 'low-half-with-a-sign',
    breaks: 'The lower half of a time is read as if it had a sign.',
    edits: [{
      file: 'backends/wire/jute.ts',
      from: 'this.#view.getUint32(at + 4)',
      to: 'this.#view.getInt32(at + 4)',
    }],
    target: 'codec',
    expected: /not read again from what is written/,
  },
  {
    name: 'empty-log-left',
    breaks: 'A last log without records stays, in the way of the next record, which has its name.',
    edits: [{
      file: 'backends/embedded/host/storage/log-files.ts',
      from: 'if (offset <= LOG_HEADER.length)',
      to: 'if (false)',
    }],
    target: 'disk',
    expected: /^Error: EEXIST/,
  },
  {
    name: 'misfit-ends-the-server',
    breaks: 'A log that does not fit its snapshot ends the start by an assertion, and is no damage with a name.',
    edits: [{
      file: 'backends/embedded/host/storage/recovery.ts',
      from: 'if (!(error instanceof AssertionError))',
      to: 'if (true)',
    }],
    target: 'disk',
    expected: /^AssertionError: /,
  },
  {
    name: 'keys-of-every-object',
    breaks: 'A key of zoo.cfg is known if any object has it.',
    edits: [{ file: 'cli/zoo-cfg.ts', from: 'if (Object.hasOwn(KEYS, key))', to: 'if (key in KEYS)' }],
    target: 'zoo-cfg',
    expected: /^TypeError: /,
  },
  {
    name: 'password-in-a-message',
    breaks: 'A URL that is wrong is told as it is.',
    edits: [{
      file: 'cli/connect-url.ts',
      from: 'new UsageError(`cannot connect to ${shownUrl(url)}: ${what}`)',
      to: 'new UsageError(`cannot connect to ${url}: ${what}`)',
    }],
    target: 'shell',
    expected: /^BrokenPromise: a password is in a message/,
  },
  {
    name: 'any-number-in-a-stat',
    breaks: 'What a stranger has written for a number of a stat is taken.',
    edits: [{
      file: 'backends/redis/reply.ts',
      from: 'if (value >= min && value <= max)',
      to: 'if (true)',
    }],
    target: 'redis-replies',
    expected: /^BrokenPromise: a stat with /,
  },
  {
    name: 'message-beyond-its-end',
    breaks: 'A message within another one may be longer than that.',
    edits: [{ file: 'backends/etcd/protobuf.ts', from: 'if (inner > outer)', to: 'if (false)' }],
    target: 'etcd-answers',
    expected: /not read again from what is written|^slow|^RangeError|^hang/,
  },
  {
    name: 'proof-of-another-challenge',
    breaks: 'A server takes a proof of DIGEST-MD5 that was made for a challenge of before.',
    edits: [{
      file: 'backends/sasl/digest-md5.ts',
      from: 'if (facts.nonce !== nonce || count !== FIRST_COUNT)',
      to: 'if (count !== FIRST_COUNT)',
    }],
    target: 'sasl',
    expected: /^BrokenPromise: a proof is taken that nobody made/,
  },
  {
    name: 'as-few-rounds-as-asked',
    breaks: 'A client of SCRAM does as few rounds as a server likes, which makes its password easy to guess.',
    edits: [{
      file: 'backends/sasl/scram.ts',
      from: 'if (number < SCRAM_ROUNDS_MIN || number > SCRAM_ROUNDS_MAX)',
      to: 'if (number > SCRAM_ROUNDS_MAX)',
    }],
    target: 'sasl',
    expected: /^BrokenPromise: a client does \d+ rounds/,
  },
  {
    name: 'word-of-a-jaas-file',
    breaks: 'A word of a JAAS file is told that is out of place, and may be a password.',
    edits: [{
      file: 'backends/embedded/host/sasl/jaas-file.ts',
      from: "throw take.error(flag, `a flag is one of ${FLAGS.join(', ')}`)",
      to: 'throw take.error(flag, `${flag.text} is no flag`)',
    }],
    target: 'sasl',
    expected: /^BrokenPromise: a (password is in a message|message with control)/,
  },
]
