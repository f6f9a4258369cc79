/** The scripts that read and write nodes. */
import { ZXIDS_PER_EPOCH_STEP, readingScriptOf, scriptOf } from './prelude.ts'
import { NO_STAT, REGISTER } from './watches.ts'

/** Number of a session's last requests whose answers are kept, in case one is sent twice. */
const REPLIES_KEPT = 128

/** Answers longer than this are not kept, in bytes; sent twice, they are of unknown outcome. */
const REPLY_BYTES_MAX = 4096

/** Arguments of an operation in {@link WRITE}. */
const OPERATION_ARGUMENTS = 6

/** The code of a refusal for a key that does not hold what belongs there; it names the key in place of the path. */
export const FOREIGN_KEY = 'FOREIGN_KEY'

/**
 * Reads nodes. From ARGV[5] on there are three for each read: kind, path, and what it registers a watch under or ''.
 * Answers two for each: the stat, or '' if there is no node; and the data, or the names of the children, one per line:
 * no name has a line break in it. Where the stored value is no node, the first is a question mark and the second the
 * key. A watch is registered where the read arms it: where there is a node, or for `exists`.
 */
export const READ = readingScriptOf(`${REGISTER}
reapSessions()
if not isLive() then return answer('EXPIRED') end
local function read(kind, path)
  local stat = storedStat(path)
  if stat == false then return '', '' end
  if stat == nil then return '${NO_STAT}', K .. 'n:' .. path end
  if kind == 'get' then
    local data = call('HGET', K .. 'n:' .. path, 'data')
    if data == false then return '${NO_STAT}', K .. 'n:' .. path end
    return stat, data
  end
  if kind ~= 'children' then return stat, '' end
  local names = try('SMEMBERS', K .. 'c:' .. path)
  if names.err then return '${NO_STAT}', K .. 'c:' .. path end
  return stat, table.concat(names, '\\n')
end
local results, at = {}, 1
for i = 5, #ARGV, 3 do
  local kind, path, name = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local stat, more = read(kind, path)
  if name ~= '' and (stat ~= '' or kind == 'exists') then register(name) end
  results[at], results[at + 1], at = stat, more, at + 2
end
local status, position, news = unpack(answer('OK'))
return {status, position, news, unpack(results)}
`)

/**
 * Reads the stats of nodes, for watches that may have missed something, and registers these again. ARGV[5] and on
 * are what they are registered under. Answers one line for each: empty for no node, a question mark for what is no
 * stat.
 */
export const CHECK = readingScriptOf(`${REGISTER}
reapSessions()
if not isLive() then return answer('EXPIRED') end
local stats = look(5)
return answer('OK', stats)
`)

/**
 * Does operations, all or none. ARGV[5] is the number of the request, then six for each operation: type, path, data,
 * kind (p, e, c, t), '1' for a sequential one, and the version or time to live. A check has the creation that it asks
 * for in place of the kind, or '' if any will do. Answers one line per operation, or one line that begins with R for
 * the one that was refused.
 *
 * A request that was done before is answered as it was then. One that does not come next is refused: something before
 * it got lost.
 */
export const WRITE = scriptOf(`
reapSessions()
if not isLive() then return answer('EXPIRED') end
local at = K .. 's:' .. SID
local request = ARGV[5] + 0.0
local last = ask('HGET', at, 'lastRequest')
if last == false then return answer('EXPIRED') end
last = count(at, last)
local slot = 'r' .. fmt(request - math.floor(request / ${REPLIES_KEPT}) * ${REPLIES_KEPT})
if request <= last then
  local kept = call('HGET', at, slot)
  local number, reply = match(kept or '', '^(%d+)\\n(.*)$')
  if number == ARGV[5] and reply ~= '' then return answer('OK', reply) end
  return answer('UNKNOWN')
end
if request ~= last + 1 then return answer('ORDER') end
if not renew() then return answer('MOVED') end

begin()
local at_ms = fmt(now)
local results = {}

local function create(path, data, kind, sequential, ttl)
  local parentPath = split(path)
  local parent = node(parentPath)
  if not parent then return 'NO_NODE', path end
  if sequential == '1' then path = path .. string.format('%010d', parent[11] + 0) end
  if node(path) then return 'NODE_EXISTS', path end
  if parent[8] ~= '0' then return 'NO_CHILDREN_FOR_EPHEMERALS', path end
  local owner = '0'
  if kind == 'e' then owner = SID end
  local made = {position, position, position, at_ms, at_ms, '0', '0', owner, kind, ttl, '0', '0', fmt(#data)}
  made.data = data
  touch(path, made)
  if parent[9] == 'c' and parent[12] == '0' then later('ZREM', K .. 'empty', parentPath) end
  parent[3], parent[7] = position, nextInt32(parent[7])
  parent[11], parent[12] = nextInt32(parent[11]), fmt(parent[12] + 1)
  touch(parentPath, parent)
  local _, name = split(path)
  later('SADD', K .. 'c:' .. parentPath, name)
  if owner ~= '0' then later('SADD', K .. 'e:' .. owner, path) end
  if kind == 't' then later('ZADD', K .. 'ttl', fmt(now + ttl), path) end
  changed('C', path)
  changed('K', parentPath)
  results[#results + 1] = 'C ' .. table.concat(made, ' ') .. ' ' .. path
end

local function existing(path, version)
  local found = node(path)
  if not found then return nil, 'NO_NODE' end
  if version ~= '-1' and version ~= found[6] then return nil, 'BAD_VERSION' end
  return found
end

local function set(path, data, version)
  local found, refused = existing(path, version)
  if not found then return refused, path end
  found[2], found[5], found[6], found[13] = position, at_ms, nextInt32(found[6]), fmt(#data)
  if found[6] == '-1' then found[6] = '0' end
  found.data = data
  touch(path, found)
  if found[9] == 't' and found[12] == '0' then later('ZADD', K .. 'ttl', fmt(now + found[10]), path) end
  changed('D', path)
  results[#results + 1] = 'S ' .. table.concat(found, ' ')
end

local function delete(path, version)
  if path == '/' then return 'BAD_ARGUMENTS', path end
  local found, refused = existing(path, version)
  if not found then return refused, path end
  if found[12] ~= '0' then return 'NOT_EMPTY', path end
  remove(path)
  results[#results + 1] = 'X'
end

-- A position as a zxid tells it: a counter that has run over stands in the epoch's bits.
local function zxidOf(place)
  local e, c = match(place, '^(%d+)%-(%d+)$')
  local over = math.floor(c / ${ZXIDS_PER_EPOCH_STEP})
  return fmt(e + over) .. '-' .. fmt(c - over * ${ZXIDS_PER_EPOCH_STEP})
end

local function check(path, version, creation)
  local found, refused = existing(path, version)
  if not found then return refused, path end
  if creation ~= '' and creation ~= zxidOf(found[1]) then return 'BAD_VERSION', path end
  results[#results + 1] = 'V'
end

local function apply(i)
  local kind, path = ARGV[i], ARGV[i + 1]
  if kind == 'C' then return create(path, ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]) end
  if kind == 'S' then return set(path, ARGV[i + 2], ARGV[i + 5]) end
  if kind == 'X' then return delete(path, ARGV[i + 5]) end
  return check(path, ARGV[i + 5], ARGV[i + 3])
end

local reply
for i = 6, #ARGV, ${OPERATION_ARGUMENTS} do
  local ok, refused, path = pcall(apply, i)
  if not ok then
    if type(refused) ~= 'table' or not refused.corrupt then error(refused) end
    refused, path = '${FOREIGN_KEY}', refused.corrupt
  end
  if refused then
    reply = 'R ' .. fmt((i - 6) / ${OPERATION_ARGUMENTS}) .. ' ' .. refused .. ' ' .. path
    break
  end
end
if reply == nil then
  commit()
  reply = table.concat(results, '\\n')
end
local kept = reply
if #kept > ${REPLY_BYTES_MAX} then kept = '' end
call('HSET', at, 'lastRequest', ARGV[5], slot, ARGV[5] .. '\\n' .. kept)
return answer('OK', reply)
`)
