/**
 * The prelude of every script: the keys, the clock, the epoch, transactions, and the end of sessions.
 *
 * Model     a namespace is one hash tag, so one slot of a cluster, one server and one order. Everything that changes
 *           is one transaction: it takes the next position `<epoch>-<counter>`, which is its zxid, and tells the
 *           sessions that watch what it changes (watches.ts). It adds an entry with its changes to the stream too, and
 *           publishes it: that is for clients of version 0.1.
 * Safety    Redis does not undo a script that fails half-way. So a script looks first and writes last, and the first
 *           write of a transaction is one that a server refuses if it takes no writes (replica, out of memory, too
 *           few replicas). If that one passes, the others do.
 * Epoch     a server whose replication id is not the one noted has been started, promoted or filled again, and may
 *           lack acknowledged writes. It begins a greater epoch, so no position is ever given twice, and
 *           notes how far the old one went, so a session can tell whether its own history is complete.
 * Foreign   whoever reaches the server can write the keys. Every value is checked before it is used: a key that does
 *           not hold what belongs there ends the script before its first write, and the answer names it. The reaping of
 *           sessions and nodes passes over such keys instead, since every script of everybody does it.
 * Linear    every pattern is anchored, and no two parts of one could match the same text: a script stops all others.
 * Portable  runs on ioredis-mock too (Lua 5.3 with 32-bit integers): HGET and not HMGET where a field may be missing,
 *           missing is compared with `false`, numbers leave through string.format, no cjson, an injected clock, and an
 *           answer is made by one constructor, as a table that has grown is none to the mock.
 */
import { NEWS, NOTICES } from './watches.ts'

/** How many entries of the stream are kept, at least. */
const EVENTS_KEPT = 1024

/** How long a container stays after its last child is gone, in milliseconds. */
export const CONTAINER_IDLE_MS = 10_000

/** Zxids from one number of an epoch to the next: the counter stands below it, in 20 bits. */
export const ZXIDS_PER_EPOCH_STEP = 1_048_576

/** Largest epoch, a time in milliseconds: a zxid of it fits in 63 bits. */
export const EPOCH_MAX = 2 ** 42 - 1

/** Sessions that one script ends at most, and nodes that one tick removes at most: a script stops all others. */
const REAPED_MAX = 32

/**
 * KEYS[1] is `{namespace}`. ARGV: now in milliseconds or '' for the server's clock, session, its generation, the last
 * position that it has seen; then what is special to the script.
 */
const KEYS_AND_CLOCK = `
local K = KEYS[1] .. ':'
local META, SESSIONS, EVENTS = K .. 'meta', K .. 'sessions', K .. 'events'
local SID, GENERATION, SEEN = ARGV[2], ARGV[3], ARGV[4]
local unpack = unpack or table.unpack
local call, try, match = redis.call, redis.pcall, string.match
local now, epoch, counter = 0.0, false, 0.0
-- Whether all that has changed was told to those who watch.
local announced = true
local function fmt(number) return string.format('%.0f', number) end

-- Ends the script, which has written nothing: a key does not hold what belongs there.
local function corrupt(key) error({corrupt = key}) end

local function ask(command, key, ...)
  local reply = try(command, key, ...)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'WRONGTYPE', 1, true) then corrupt(key) end
    error(reply)
  end
  return reply
end

local function isCount(text) return type(text) == 'string' and #text <= 15 and match(text, '^%d+$') ~= nil end

-- The number in a field of a key.
local function count(key, text)
  if not isCount(text) then corrupt(key) end
  return text + 0.0
end

local function load()
  if ARGV[1] == '' then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  else
    now = ARGV[1] + 0.0
  end
  epoch = ask('HGET', META, 'epoch')
  if epoch == false then return end
  if count(META, epoch) > ${EPOCH_MAX} or match(epoch, '^0') then corrupt(META) end
  local text = ask('HGET', META, 'counter')
  counter = count(META, text)
  announced = #text > 1 and string.byte(text) == 48
end

-- The changes of this script that its own session waits for; false if it has more to be told than those.
local own = nil

-- The place in a field "told", which has a mark behind it if no message brings it.
local function placeIn(told)
  return type(told) == 'string' and #told <= 40 and match(told, '^(%d+%-%d+)%-?$') or nil
end

-- Whether a place is no later than another one.
local function isUpTo(place, limit)
  local e, c = match(place, '^(%d+)%-(%d+)$')
  local le, lc = match(limit, '^(%d+)%-(%d+)$')
  return le ~= nil and (e + 0.0 < le + 0.0 or (e == le and c + 0.0 <= lc + 0.0))
end

local function keyOf(kind, name) return K .. kind .. ':' .. name end
local function here() return epoch .. '-' .. fmt(counter) end
`

const EPOCH = `
local function isBehind(position)
  local e, c = match(position, '^(%d+)%-(%d+)$')
  if not e then return false end
  return e + 0.0 > epoch + 0.0 or (e == epoch and c + 0.0 > counter)
end

-- A counter may run on into the bits of the epoch: a greater epoch must leave it behind.
local function after(e, c) return e + 1 + math.floor(c / ${ZXIDS_PER_EPOCH_STEP}) end

local function replicationId()
  local ok, info = pcall(redis.call, 'INFO', 'replication')
  if ok and type(info) == 'string' then return match(info, 'master_replid:(%x+)') or '' end
  return ''
end

local verified = false

-- Begins a new epoch if this is not the history that the namespace was written on, or less of it than "seen".
local function verify(seen)
  if verified or epoch == false then return end
  local id = replicationId()
  local behind = seen ~= nil and isBehind(seen)
  if not behind and ask('HGET', META, 'replication') == id then
    verified = true
    return
  end
  ask('HGET', K .. 'epochs', epoch)
  local all = ask('ZRANGE', SESSIONS, '0', '-1')
  verified = true
  local next = math.max(now, after(epoch + 0.0, counter))
  if behind then
    local e, c = match(seen, '^(%d+)%-(%d+)$')
    next = math.max(next, after(e + 0.0, c + 0.0))
  end
  call('HSET', META, 'replication', id)
  call('HSET', K .. 'epochs', epoch, fmt(counter))
  epoch, counter = fmt(next), 0.0
  call('HSET', META, 'epoch', epoch)
  call('HSET', META, 'counter', '00')
  announced = true
  call('HSET', META, 'lastSession', '0')
  -- Nobody could be heard while there was no server: each session has its whole time again.
  for i = 1, #all do
    local timeout = try('HGET', K .. 's:' .. all[i], 'timeout')
    if isCount(timeout) then call('ZADD', SESSIONS, fmt(now + timeout), all[i]) end
  end
end
`

/** Patterns of the fields of a stat, in their order. */
const STAT = [
  ...['%d+%-%d+', '%d+%-%d+', '%d+%-%d+', '%d+', '%d+', '%-?%d+', '%-?%d+', 's?[%d%-]+', '[pect]', '%d+', '%-?%d+'],
  ...['%d+', '%d+'],
]

const LIVES_AND_STATS = `
local function overdue()
  return ask('ZRANGEBYSCORE', SESSIONS, '-inf', fmt(now), 'LIMIT', '0', '${REAPED_MAX}')
end

local function isLive()
  if epoch == false then return false end
  local due = ask('ZSCORE', SESSIONS, SID)
  return due ~= false and (tonumber(due) or 0) > now
end

local STAT, STAT_BYTES_MAX = '^${STAT.join(' ')}$', 400

local function isStat(stat)
  return type(stat) == 'string' and #stat <= STAT_BYTES_MAX and match(stat, STAT) ~= nil
end

-- The stat of a node as it is stored; false if there is none, nil if there is something else. Its reader looks closer.
local function storedStat(path)
  local stat = try('HGET', K .. 'n:' .. path, 'stat')
  if stat == false or isStat(stat) then return stat end
  return nil
end
`

const NODES = `
local FIELDS = '^${STAT.map((field) => `(${field})`).join(' ')}$'

-- Fields of a stat: 1 czxid, 2 mzxid, 3 pzxid, 4 ctime, 5 mtime, 6 version, 7 cversion, 8 owner, 9 kind, 10 ttl,
-- 11 children ever created, 12 children, 13 length of the data

local function isInt32(text)
  if #text > 11 then return false end
  local number = text + 0.0
  return number >= -2147483648 and number <= 2147483647
end

-- The fields of a stat; nil if it is none.
local function fieldsOf(stat)
  if type(stat) ~= 'string' or #stat > STAT_BYTES_MAX then return nil end
  local fields = {match(stat, FIELDS)}
  if not fields[1] then return nil end
  local owner = fields[8]
  if owner ~= '0' and not match(owner, '^s%d+%-%d+$') then return nil end
  if not (isInt32(fields[6]) and isInt32(fields[7]) and isInt32(fields[11])) then return nil end
  if not (isCount(fields[4]) and isCount(fields[5]) and isCount(fields[10])) then return nil end
  if not (isCount(fields[12]) and isCount(fields[13])) then return nil end
  return fields
end

local function isPath(text) return #text > 1 and string.sub(text, 1, 1) == '/' end

-- A path's parent and its last segment.
local function split(path)
  local parentPath, name = match(path, '^(.*)/([^/]*)$')
  if parentPath == '' then parentPath = '/' end
  return parentPath, name
end
`

const TRANSACTION = `
local draft, touched, todo, changes, position = {}, {}, {}, {}, ''
-- Whether what is not ours is passed over, rather than refused.
local lenient = false

local function begin()
  verify()
  announce()
  touched, todo, changes = {}, {}, {}
  position = epoch .. '-' .. fmt(counter + 1)
end

local function node(path)
  local known = draft[path]
  if known ~= nil then return known end
  local stat = try('HGET', K .. 'n:' .. path, 'stat')
  known = false
  if stat ~= false then
    known = fieldsOf(stat)
    if not known then
      if lenient then return false end
      corrupt(K .. 'n:' .. path)
    end
  end
  draft[path] = known
  return known
end

local function touch(path, value)
  draft[path] = value
  touched[#touched + 1] = path
end

local function later(...) todo[#todo + 1] = {...} end
local function changed(kind, path) changes[#changes + 1] = kind .. path end

local TYPES = {SADD = 'set', SREM = 'set', ZADD = 'zset', ZREM = 'zset'}

-- Whether a key is of the type that a step takes, or missing. A user who may not ask is not kept from writing.
local function fits(step)
  local wanted = TYPES[step[1]]
  if wanted == nil then return true end
  local found = try('TYPE', step[2])
  if type(found) == 'table' then found = found.ok end
  return found == nil or found == 'none' or found == wanted
end

-- What is left to do, when every key is as it must be.
local function steps()
  local fitting = {}
  for i = 1, #todo do
    if fits(todo[i]) then fitting[#fitting + 1] = todo[i]
    elseif not lenient then corrupt(todo[i][2]) end
  end
  return fitting
end

local function tell()
  local text = table.concat(changes, '\\n')
  local function add() return try('XADD', EVENTS, 'MAXLEN', '~', '${EVENTS_KEPT}', position, 'c', text, 'a', '') end
  local added = add()
  if type(added) == 'table' and added.err then
    -- Something else is there, or entries of a later place.
    call('DEL', EVENTS)
    add()
  end
  local seal = call('HGET', META, 'seal') or ''
  call('PUBLISH', EVENTS, position .. ' ' .. seal .. '\\n' .. text)
  wake(position, changes)
end

local function commit()
  local fitting = steps()
  counter = counter + 1
  call('HSET', META, 'counter', '0' .. fmt(counter))
  for i = 1, #touched do
    local path = touched[i]
    local value = draft[path]
    if value == false then
      call('DEL', K .. 'n:' .. path)
    else
      local stat = table.concat(value, ' ')
      if value.data == nil then call('HSET', K .. 'n:' .. path, 'stat', stat)
      else call('HSET', K .. 'n:' .. path, 'stat', stat, 'data', value.data) end
      value.data = nil
    end
  end
  for i = 1, #fitting do call(unpack(fitting[i])) end
  tell()
end

local function nextInt32(text)
  local number = text + 1.0
  if number > 2147483647 then number = -2147483648.0 end
  return fmt(number)
end

-- The parent of a node that goes; one that is left without children may have to go too.
local function childGone(path)
  local parentPath, name = split(path)
  later('SREM', K .. 'c:' .. parentPath, name)
  local parent = node(parentPath)
  if not parent or parent[12] == '0' then
    if not lenient then corrupt(K .. 'n:' .. parentPath) end
    return parentPath
  end
  parent[3], parent[7], parent[12] = position, nextInt32(parent[7]), fmt(parent[12] - 1)
  touch(parentPath, parent)
  if parent[12] == '0' and parent[9] == 'c' then
    later('ZADD', K .. 'empty', fmt(now + ${CONTAINER_IDLE_MS}), parentPath)
  elseif parent[12] == '0' and parent[9] == 't' then
    later('ZADD', K .. 'ttl', fmt(parent[5] + parent[10]), parentPath)
  end
  return parentPath
end

local function remove(path)
  local gone = node(path)
  if gone[8] ~= '0' then later('SREM', K .. 'e:' .. gone[8], path) end
  if gone[9] == 'c' then later('ZREM', K .. 'empty', path) end
  if gone[9] == 't' then later('ZREM', K .. 'ttl', path) end
  touch(path, false)
  local parentPath = childGone(path)
  changed('X', path)
  changed('K', parentPath)
end
`

const SESSION_END = `
-- Its nodes, as far as what is listed is a node of this session; a stranger may have written the list.
local function owned(sid)
  local listed = try('SMEMBERS', K .. 'e:' .. sid)
  local paths = {}
  for i = 1, #listed do
    local found = isPath(listed[i]) and node(listed[i])
    if found and found[8] == sid then paths[#paths + 1] = listed[i] end
  end
  table.sort(paths)
  return paths
end

local function endSession(sid)
  lenient = true
  begin()
  local paths = owned(sid)
  for i = 1, #paths do remove(paths[i]) end
  later('DEL', K .. 's:' .. sid)
  later('DEL', K .. 'e:' .. sid)
  later('ZREM', SESSIONS, sid)
  changed('E', sid)
  commit()
  forget(sid)
  call('PUBLISH', EVENTS .. ':' .. sid, sealed(position, position, 'E' .. sid))
  lenient = false
end

local function reapSessions()
  if epoch == false or #overdue() == 0 then return end
  -- A new epoch gives them more time.
  verify()
  local due = overdue()
  for i = 1, #due do
    if match(due[i], '^s%d+%-%d+$') then endSession(due[i]) else call('ZREM', SESSIONS, due[i]) end
  end
end

-- Whether the connection that sent this is the latest of the session; the score of the session is moved on if so.
local function renew()
  local at = K .. 's:' .. SID
  if ask('HGET', at, 'generation') ~= GENERATION then return false end
  call('ZADD', SESSIONS, fmt(now + count(at, ask('HGET', at, 'timeout'))), SID)
  return true
end
`

const COMMON = KEYS_AND_CLOCK + LIVES_AND_STATS
/** All that changes anything. */
const CHANGING = EPOCH + NODES + NOTICES + TRANSACTION + SESSION_END

/** For a script that reads: what it needs in rare cases is made only then, which takes as long as a read. */
const RARELY = `
local function rarely(isToReap)
  ${CHANGING}
  if isToReap then reapSessions() else announce() end
end

local function reapSessions()
  if epoch ~= false and #overdue() > 0 then rarely(true) end
end

local function announce()
  if epoch ~= false and not announced then rarely(false) end
end
`

/**
 * Makes a script of its body, which ends with its answer. A key that does not hold a value of ours is answered by name.
 *
 * It is sent without comments, and spaces that it does not need: of a client without a password a server takes no
 * text of more than 16 KB and no command of more than ten parts, and says so instead of asking for the password.
 */
export function scriptOf(body: string): string {
  return whole(COMMON + CHANGING + NEWS, body)
}

/** Makes a script of a body that reads, likewise: it has no part of a transaction. */
export function readingScriptOf(body: string): string {
  return whole(COMMON + RARELY + NEWS, body)
}

function whole(prelude: string, body: string): string {
  return bare(`${prelude}
local function main()
load()
${body}
end
local ok, result = pcall(main)
if ok then return result end
if type(result) == 'table' and result.corrupt then return {'CORRUPT', '', {}, result.corrupt, ''} end
if type(result) == 'table' and result.err then return {err = result.err} end
error(result, 0)
`)
}

function bare(text: string): string {
  const lines = text.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('--'))
  return lines.map((line) => line.replace(STRING_OR_SIGN, (found, sign?: string) => sign ?? found)).join('\n')
}

/** A text in quotes, or a sign that needs no spaces around it. */
const STRING_OR_SIGN = /'(?:\\.|[^'\\])*'| *([=~<>]=|[=<>,+*/]|(?<!\d *)\.\.) */g

/** Nodes that expire: containers whose last child went, and nodes whose time to live is over. */
export const NODE_REAPER = `
local function reapNodes(kind, which, upTo)
  local due = try('ZRANGEBYSCORE', K .. which, '-inf', fmt(upTo), 'LIMIT', '0', '${REAPED_MAX}')
  if #due == 0 then return end
  lenient = true
  begin()
  for i = 1, #due do
    local found = isPath(due[i]) and node(due[i])
    if found and found[9] == kind and found[12] == '0' then remove(due[i])
    else later('ZREM', K .. which, due[i]) end
  end
  commit()
  lenient = false
end
`
