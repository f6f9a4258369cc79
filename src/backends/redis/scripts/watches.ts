/**
 * The part of every script that knows who watches: a transaction is told to the sessions that wait for it, and to
 * nobody else.
 *
 * Model     a watch is registered under `<class><path>`: class `n` for the node itself, `k` for the list of its
 *           children. `w:<class><path>` holds the sessions that wait, `a:<session>` what each of them waits for. A
 *           change takes the registrations of its path away, and each of their sessions is told: its `told` is the
 *           place of the last transaction that it waited for, and a message on its channel brings that.
 * Message   `<position> <seal> <position of the one before>`, then one change per line. A session that has seen as far
 *           as the one before has missed nothing in front of this one.
 * Order     a session is told in the script that makes the change. Every script of a session says how far it has seen,
 *           and where it was told of something after that, the answer brings all changes since, from the stream. So no
 *           answer shows what its session was not told, and the channel only makes it quick.
 * Strangers whoever writes these keys can delay an event and not prevent it: sessions look again, a few registrations
 *           with each tick.
 * Before    clients of version 0.1 read the stream and the channel of the namespace, which go on, and know no
 *           registrations. A counter without a zero in front was written by one of them, and an entry of the stream
 *           without a mark; whoever comes next tells what they did since it was told last (`announced`).
 * End       registrations of a session that is over are taken away by ticks, so many at a time. Until then they cost
 *           a change a look.
 */

/** Transactions that one answer tells at most; a session that has missed more looks again at what it watches. */
const NEWS_MAX = 128

/** Stands for changes that are not told. */
export const MISSED = '?'

/** Stands for the stat of a node where the stored value is no node. */
export const NO_STAT = '?'

/** Registrations of sessions that are over which one tick takes away at most. */
const SWEPT_MAX = 256

/** Tells who watches. Needs the keys and the epoch; gives `wake`, `forget` and `announce`. */
export const NOTICES = `
local CLASSES = {C = {'n'}, D = {'n'}, K = {'k'}, X = {'n', 'k'}}

local function collect(name, change, told)
  local sids = try('SMEMBERS', keyOf('w', name))
  if #sids == 0 and not sids.err then return end
  call('DEL', keyOf('w', name))
  for i = 1, #sids do
    try('ZREM', keyOf('a', sids[i]), name)
    local list = told[sids[i]]
    if not list then told[sids[i]] = {change}
    elseif list[#list] ~= change then list[#list + 1] = change end
  end
end

local seal = nil

local function sealed(place, before, text)
  if seal == nil then seal = call('HGET', META, 'seal') or '' end
  return place .. ' ' .. seal .. ' ' .. before .. '\\n' .. text
end

-- Notes that a session is told, and publishes it; a session's own script brings it with its answer.
local function notify(sid, place, text)
  local at = keyOf('s', sid)
  local told = try('HGET', at, 'told')
  if type(told) ~= 'string' then return end
  local before = placeIn(told) or place
  if sid ~= SID then
    call('HSET', at, 'told', place)
    call('PUBLISH', EVENTS .. ':' .. sid, sealed(place, before, text))
  else
    call('HSET', at, 'told', place .. '-')
    if own == nil and isUpTo(before, SEEN) then own = place .. '  ' .. before .. ' -\\n' .. text else own = false end
  end
end

local function wake(place, list)
  local told = {}
  for i = 1, #list do
    local classes = CLASSES[string.sub(list[i], 1, 1)] or {}
    for j = 1, #classes do collect(classes[j] .. string.sub(list[i], 2), list[i], told) end
  end
  for sid, texts in pairs(told) do notify(sid, place, table.concat(texts, '\\n')) end
end

-- A session is over: its registrations wait for a tick.
local function forget(sid)
  try('ZADD', K .. 'unwatched', '0', sid)
end

-- Tells a transaction of a client that knows no registrations.
local function relay(place, text)
  local list = {}
  for line in string.gmatch(text, '[^\\n]+') do
    list[#list + 1] = line
    if match(line, '^Es%d+%-%d+$') then forget(string.sub(line, 2)) end
  end
  wake(place, list)
end

-- What such clients have done since a script of ours, newest first; false if that cannot be told.
local function unannounced()
  local entries = try('XREVRANGE', EVENTS, '+', '-', 'COUNT', '${NEWS_MAX}')
  local told = call('HGET', META, 'announced')
  local missed, expected = {}, counter
  for i = 1, #entries do
    local place, fields = match(entries[i][1], '^%d+%-%d+'), entries[i][2]
    if expected == 0 or place ~= epoch .. '-' .. fmt(expected) then break end
    if fields[3] == 'a' or place == told then return missed end
    missed[i] = {place, fields[2]}
    expected = expected - 1
  end
  return expected == 0 and missed
end

local function announce()
  if announced or epoch == false then return end
  announced = true
  local missed = unannounced()
  if missed then
    for i = #missed, 1, -1 do relay(missed[i][1], missed[i][2]) end
  else
    local all = try('ZRANGE', SESSIONS, '0', '-1')
    for i = 1, #all do notify(all[i], here(), '${MISSED}') end
  end
  call('HSET', META, 'counter', '0' .. fmt(counter), 'announced', here())
end

`

/** Answers, with what the session has not seen. Needs the keys and `announce`; gives `answer`. */
export const NEWS = `
-- The changes after the place that the session has seen: of everybody, from the stream.
local function window(e, c, told)
  local missed = counter - c
  if e ~= epoch or missed > ${NEWS_MAX} then return {'${MISSED}'} end
  local entries = try('XREVRANGE', EVENTS, '+', '-', 'COUNT', fmt(missed))
  local notices = {}
  for i = 1, missed do
    local place, entry = epoch .. '-' .. fmt(counter - i + 1), entries[i]
    if not entry or match(entry[1], '^%d+%-%d+') ~= place then return {'${MISSED}'} end
    local mark = ' -\\n'
    if place == told then mark = '\\n' end
    notices[i] = place .. '  ' .. place .. mark .. entry[2][2]
  end
  return notices
end

-- What the session was told and has not seen, from itself or from others.
local function news()
  if SID == '' or epoch == false then return {} end
  announce()
  if own then return {own} end
  local told = try('HGET', keyOf('s', SID), 'told')
  local place = placeIn(told)
  local e, c = match(SEEN, '^(%d+)%-(%d+)$')
  if not place or not e then return {'${MISSED}'} end
  if isUpTo(place, SEEN) then return {} end
  return window(e, c + 0.0, told)
end

local function answer(status, payload, more)
  if epoch == false then return {status, '', {}, '', ''} end
  return {status, here(), news(), payload or '', more or ''}
end
`

/** Registers watches. A key that holds something else is begun again. */
export const REGISTER = `
local function put(command, key, ...)
  local done = try(command, key, ...)
  if type(done) ~= 'table' or not done.err then return end
  if not string.find(done.err, 'WRONGTYPE', 1, true) then error(done) end
  call('DEL', key)
  call(command, key, ...)
end

local function register(name)
  put('SADD', keyOf('w', name), SID)
  put('ZADD', keyOf('a', SID), '0', name)
end

-- Registers watches again, and tells the stats of their nodes: one line for each.
local function look(from)
  local stats = {}
  for i = from, #ARGV do
    register(ARGV[i])
    local stat = storedStat(string.sub(ARGV[i], 2))
    if stat == false then stat = '' end
    stats[#stats + 1] = stat or '${NO_STAT}'
  end
  return table.concat(stats, '\\n')
end
`

/** Takes registrations away: those that nobody waits for, and those of sessions that are over. */
export const SWEEP = `
local function unregister(sid, name)
  try('SREM', keyOf('w', name), sid)
  try('ZREM', keyOf('a', sid), name)
end

local function sweep()
  local gone = try('ZRANGE', K .. 'unwatched', '0', '0')
  if gone.err then call('DEL', K .. 'unwatched') end
  local sid = gone[1]
  if not sid then return end
  local names = try('ZRANGE', keyOf('a', sid), '0', '${SWEPT_MAX - 1}')
  for i = 1, #names do unregister(sid, names[i]) end
  if #names == ${SWEPT_MAX} then return end
  call('DEL', keyOf('a', sid))
  call('ZREM', K .. 'unwatched', sid)
end
`
