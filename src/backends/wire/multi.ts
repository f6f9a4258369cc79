/**
 * The bodies of multi and multiRead: parts after headers, with a header at the end that says so.
 *
 * Shapes    MultiHeader{int type, bool done, int err}; of a request err is -1, of a result that of the part; the last
 *           one is {-1, true, -1}. A refused part is ErrorResponse{int err}.
 * Source    MultiOperationRecord.java, MultiResponse.java.
 */
import { OpCode } from './codes.ts'
import { bool, copiedBuffer, int32, record, ustring, ustrings, violation } from './jute.ts'
import type { Codec, Reader, Writer } from './jute.ts'
import {
  CheckCreationRequest,
  CheckRequest,
  CreateRequest,
  CreateTtlRequest,
  DeleteRequest,
  ReadRequest,
  SetDataRequest,
  StatRecord,
} from './records.ts'
import type { MultiOperation, MultiResult, ReadOperation, ReadResult } from './records.ts'

const MultiHeader = record({ type: int32, done: bool, err: int32 })
const END = { type: -1, done: true, err: -1 }

/** A list of parts after headers. */
function parts<T>(
  write: (writer: Writer, part: T) => void,
  read: (reader: Reader, type: number) => T,
): Codec<readonly T[]> {
  return {
    write(writer, value) {
      for (const part of value) write(writer, part)
      MultiHeader.write(writer, END)
    },
    // The bytes bound it: each part takes some.
    read(reader) {
      const value: T[] = []
      for (let header = MultiHeader.read(reader); !header.done; header = MultiHeader.read(reader)) {
        value.push(read(reader, header.type))
      }
      return value
    },
  }
}

function writeHeader(writer: Writer, type: number, err: number): void {
  MultiHeader.write(writer, { type, done: false, err })
}

/** The body of a multi request. */
export const MultiRequest = parts<MultiOperation>(
  (writer, { op, body }) => {
    writeHeader(writer, op, -1)
    operationCodec(op).write(writer, body)
  },
  (reader, op) => ({ op, body: operationCodec(op).read(reader) }) as MultiOperation,
)

function operationCodec(op: number): Codec<object> {
  switch (op) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
      return CreateRequest
    case OpCode.createTTL:
      return CreateTtlRequest
    case OpCode.delete:
      return DeleteRequest
    case OpCode.setData:
      return SetDataRequest
    case OpCode.check:
      return CheckRequest
    case OpCode.checkCreation:
      return CheckCreationRequest
    default:
      throw violation(`operation ${op} inside a multi`)
  }
}

/** The body of a multiRead request. */
export const MultiReadRequest = parts<ReadOperation>(
  (writer, { op, body }) => {
    writeHeader(writer, op, -1)
    ReadRequest.write(writer, body)
  },
  (reader, op) => {
    if (op !== OpCode.getData && op !== OpCode.getChildren) throw violation(`operation ${op} inside a multiRead`)
    return { op, body: ReadRequest.read(reader) }
  },
)

/** The body of a multi's reply. */
export const MultiResponse = parts<MultiResult>(writeResult, readResult)

function writeResult(writer: Writer, result: MultiResult): void {
  switch (result.op) {
    case OpCode.create:
      writeHeader(writer, OpCode.create, 0)
      ustring.write(writer, result.path)
      return
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      // The reference tells these three alike.
      writeHeader(writer, OpCode.create2, 0)
      ustring.write(writer, result.path)
      StatRecord.write(writer, result.stat)
      return
    case OpCode.setData:
      writeHeader(writer, OpCode.setData, 0)
      StatRecord.write(writer, result.stat)
      return
    case OpCode.delete:
    case OpCode.check:
      writeHeader(writer, result.op, 0)
      return
    case OpCode.error:
      writeError(writer, result.err)
  }
}

function readResult(reader: Reader, op: number): MultiResult {
  switch (op) {
    case OpCode.create:
      return { op, path: ustring.read(reader), stat: null }
    case OpCode.create2:
      return { op, path: ustring.read(reader), stat: StatRecord.read(reader) }
    case OpCode.setData:
      return { op, stat: StatRecord.read(reader) }
    case OpCode.delete:
    case OpCode.check:
      return { op }
    case OpCode.error:
      return { op, err: reader.int32() }
    default:
      throw violation(`a result of type ${op} inside a multi`)
  }
}

/** The body of a multiRead's reply. */
export const MultiReadResponse = parts<ReadResult>(
  (writer, result) => {
    if (result.op === OpCode.error) {
      writeError(writer, result.err)
      return
    }
    writeHeader(writer, result.op, 0)
    if (result.op === OpCode.getChildren) ustrings.write(writer, result.children)
    else {
      copiedBuffer.write(writer, result.data)
      StatRecord.write(writer, result.stat)
    }
  },
  (reader, op) => {
    switch (op) {
      case OpCode.getData:
        return { op, data: copiedBuffer.read(reader), stat: StatRecord.read(reader) }
      case OpCode.getChildren:
        return { op, children: ustrings.read(reader) }
      case OpCode.error:
        return { op, err: reader.int32() }
      default:
        throw violation(`a result of type ${op} inside a multiRead`)
    }
  },
)

function writeError(writer: Writer, err: number): void {
  writeHeader(writer, OpCode.error, err)
  writer.int32(err)
}
