/**
 * What every script begins with: the keys, the clock, the epoch, transactions, and the end of sessions.
 *
 * Model     a namespace is one hash tag, so one slot of a cluster, one server and one order. Everything that changes
 *           is one transaction: it takes the next position `<epoch>-<counter>`, adds one entry to the stream with all
 *           its changes, and publishes the same text. A position is the zxid of the transaction and the id of its
 *           entry.
 * Safety    Redis does not undo a script that fails half-way. So a script looks first and writes last, and the first
 *           write of a transaction is one that a server refuses if it takes no writes (replica, out of memory, too
 *           few replicas). If that one passes, the others do.
 * Epoch     a server whose replication id is not the one noted has been started, promoted or filled anew, and may
 *           lack what was acknowledged before. It begins a greater epoch, so no position is ever given twice, and
 *           notes how far the old one went, so a session can tell whether its own history is complete.
 * Portable  runs on ioredis-mock too (Lua 5.3 with 32-bit integers): HGET and not HMGET where a field may be missing,
 *           missing is compared with `false`, numbers leave through string.format, no cjson, an injected clock, and an
 *           answer is made by one constructor, as a table that has grown is none to the mock.
 */

/** How many entries of the stream are kept, at least: what a session may miss and still be told one by one. */
const EVENTS_KEPT = 1024

/** How many missed entries one answer carries at most; a session that missed more reads what it watches again. */
const NEWS_MAX = 128

/** How long a container stays after its last child is gone, in milliseconds. */
export const CONTAINER_IDLE_MS = 10_000

/** Zxids from one number of an epoch to the next: the counter stands below it, in 20 bits. */
export const ZXIDS_PER_EPOCH_STEP = 1_048_576

/** Sessions that one script ends at most, and nodes that one tick removes at most: a script stops all others. */
const REAPED_MAX = 32

/**
 * KEYS[1] is `{namespace}`. ARGV: now in milliseconds or '' for the server's clock, session, its generation, the last
 * position that it has seen or '' if it watches nothing; then what is special to the script.
 */
const KEYS_AND_CLOCK = `
local K = KEYS[1] .. ':'
local META, SESSIONS, EVENTS = K .. 'meta', K .. 'sessions', K .. 'events'
local SID, GENERATION, SEEN = ARGV[2], ARGV[3], ARGV[4]
local unpack = unpack or table.unpack
local now
if ARGV[1] == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
else
  now = ARGV[1] + 0.0
end
local function fmt(number) return string.format('%.0f', number) end
local epoch = redis.call('HGET', META, 'epoch')
local counter = 0.0
if epoch ~= false then counter = redis.call('HGET', META, 'counter') + 0.0 end

local function here() return epoch .. '-' .. fmt(counter) end

-- The missed entries, newest first; none if they are too many or of another epoch, which the session notices.
local function news()
  if SEEN == '' or epoch == false then return {} end
  local e, c = string.match(SEEN, '^(%d+)%-(%d+)$')
  local missed = counter - c
  if e ~= epoch or missed <= 0 or missed > ${NEWS_MAX} then return {} end
  return redis.call('XREVRANGE', EVENTS, '+', '-', 'COUNT', fmt(missed))
end

local function answer(status, payload, more)
  if epoch == false then return {status, '', {}, '', ''} end
  return {status, here(), news(), payload or '', more or ''}
end
`

const EPOCH = `
local function isBehind(position)
  local e, c = string.match(position, '^(%d+)%-(%d+)$')
  if not e then return false end
  return e + 0.0 > epoch + 0.0 or (e == epoch and c + 0.0 > counter)
end

-- A counter may run on into the bits of the epoch, one a 2^20th of a millisecond: a greater epoch must leave it behind.
local function after(e, c) return e + 1 + math.floor(c / ${ZXIDS_PER_EPOCH_STEP}) end

local function replicationId()
  local ok, info = pcall(redis.call, 'INFO', 'replication')
  if ok and type(info) == 'string' then return string.match(info, 'master_replid:(%x+)') or '' end
  return ''
end

local verified = false

-- Begins a new epoch if this is not the history that the namespace was written on, or less of it than "seen".
local function verify(seen)
  if verified or epoch == false then return end
  verified = true
  local id = replicationId()
  local behind = seen ~= nil and isBehind(seen)
  if not behind and redis.call('HGET', META, 'replication') == id then return end
  local next = math.max(now, after(epoch + 0.0, counter))
  if behind then
    local e, c = string.match(seen, '^(%d+)%-(%d+)$')
    next = math.max(next, after(e + 0.0, c + 0.0))
  end
  redis.call('HSET', META, 'replication', id)
  redis.call('HSET', K .. 'epochs', epoch, fmt(counter))
  epoch, counter = fmt(next), 0.0
  redis.call('HSET', META, 'epoch', epoch)
  redis.call('HSET', META, 'counter', '0')
  redis.call('HSET', META, 'lastSession', '0')
  -- Nobody could be heard while there was no server: each session has its whole time again.
  local all = redis.call('ZRANGE', SESSIONS, 0, -1)
  for i = 1, #all do
    local timeout = redis.call('HGET', K .. 's:' .. all[i], 'timeout')
    if timeout ~= false then redis.call('ZADD', SESSIONS, fmt(now + timeout), all[i]) end
  end
end
`

const TRANSACTION = `
-- Fields of a stat: 1 czxid, 2 mzxid, 3 pzxid, 4 ctime, 5 mtime, 6 version, 7 cversion, 8 owner, 9 kind, 10 ttl,
-- 11 children ever created, 12 children, 13 length of the data
local draft, touched, todo, changes, position = {}, {}, {}, {}, ''

local function begin()
  verify()
  touched, todo, changes = {}, {}, {}
  position = epoch .. '-' .. fmt(counter + 1)
end

local function node(path)
  local known = draft[path]
  if known == nil then
    local stat = redis.call('HGET', K .. 'n:' .. path, 'stat')
    known = false
    if stat ~= false then
      known = {}
      for field in string.gmatch(stat, '%S+') do known[#known + 1] = field end
    end
    draft[path] = known
  end
  return known
end

local function touch(path, value)
  draft[path] = value
  touched[#touched + 1] = path
end

local function later(...) todo[#todo + 1] = {...} end
local function changed(kind, path) changes[#changes + 1] = kind .. path end

local function commit()
  counter = counter + 1
  redis.call('HSET', META, 'counter', fmt(counter))
  for i = 1, #touched do
    local path = touched[i]
    local value = draft[path]
    if value == false then
      redis.call('DEL', K .. 'n:' .. path)
    else
      redis.call('HSET', K .. 'n:' .. path, 'stat', table.concat(value, ' '))
      if value.data ~= nil then redis.call('HSET', K .. 'n:' .. path, 'data', value.data) end
      value.data = nil
    end
  end
  for i = 1, #todo do redis.call(unpack(todo[i])) end
  local text = table.concat(changes, '\\n')
  redis.call('XADD', EVENTS, 'MAXLEN', '~', '${EVENTS_KEPT}', position, 'c', text)
  redis.call('PUBLISH', EVENTS, position .. '\\n' .. text)
end

local function nextInt32(text)
  local number = text + 1.0
  if number > 2147483647 then number = -2147483648.0 end
  return fmt(number)
end

-- The parent of a node that goes; one that is left without children may have to go too.
local function childGone(path)
  local parentPath = string.match(path, '^(.+)/[^/]*$') or '/'
  local parent = node(parentPath)
  parent[3], parent[7], parent[12] = position, nextInt32(parent[7]), fmt(parent[12] - 1)
  touch(parentPath, parent)
  later('SREM', K .. 'c:' .. parentPath, string.match(path, '[^/]*$'))
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
local function endSession(sid)
  begin()
  local owned = redis.call('SMEMBERS', K .. 'e:' .. sid)
  local paths = {}
  for i = 1, #owned do paths[i] = owned[i] end
  table.sort(paths)
  for i = 1, #paths do if node(paths[i]) then remove(paths[i]) end end
  later('DEL', K .. 's:' .. sid)
  later('DEL', K .. 'e:' .. sid)
  later('ZREM', SESSIONS, sid)
  changed('E', sid)
  commit()
end

local function overdue()
  return redis.call('ZRANGEBYSCORE', SESSIONS, '-inf', fmt(now), 'LIMIT', 0, ${REAPED_MAX})
end

local function reapSessions()
  if epoch == false or #overdue() == 0 then return end
  -- A new epoch gives them more time.
  verify()
  local due = overdue()
  for i = 1, #due do endSession(due[i]) end
end

local function isLive()
  if epoch == false then return false end
  local due = redis.call('ZSCORE', SESSIONS, SID)
  return due ~= false and due + 0.0 > now
end

-- Whether the connection that sent this is the latest of the session; the score of the session is moved on if so.
local function renew()
  local at = K .. 's:' .. SID
  if redis.call('HGET', at, 'generation') ~= GENERATION then return false end
  redis.call('ZADD', SESSIONS, fmt(now + redis.call('HGET', at, 'timeout')), SID)
  return true
end
`

/** Clock, keys and news: enough for a script that reads, if the sessions were reaped. */
export const PRELUDE = KEYS_AND_CLOCK + EPOCH + TRANSACTION + SESSION_END

/** Nodes that go by themselves: containers whose last child went, and nodes whose time to live is over. */
export const NODE_REAPER = `
local function reapNodes(which, upTo)
  local due = redis.call('ZRANGEBYSCORE', K .. which, '-inf', fmt(upTo), 'LIMIT', 0, ${REAPED_MAX})
  if #due == 0 then return end
  begin()
  for i = 1, #due do
    local found = node(due[i])
    if found and found[12] == '0' then remove(due[i]) else later('ZREM', K .. which, due[i]) end
  end
  commit()
end
`
