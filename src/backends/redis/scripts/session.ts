/** The scripts of a session's life: open, attach to another connection, tick, end. */
import { NODE_REAPER, scriptOf } from './prelude.ts'
import { REGISTER, SWEEP } from './watches.ts'

/**
 * Opens a session, and makes the namespace if it is missing.
 *
 * ARGV[2] and ARGV[4] are empty; ARGV[3] is what the namespace's messages are sealed with if it has no seal yet;
 * ARGV[5] the time-out in milliseconds; ARGV[6] the greatest position that this process has seen: a new namespace, or a
 * server that lost some of it, must go on after it. Answers the session, and the seal.
 */
export const OPEN = scriptOf(`
if epoch == false then
  local e, c = match(ARGV[6], '^(%d+)%-(%d+)$')
  local first = now
  if e then first = math.max(first, after(e + 0.0, c + 0.0)) end
  ask('HGET', K .. 'n:/', 'stat')
  call('HSET', META, 'counter', '00')
  call('HSET', META, 'format', '1')
  call('HSET', META, 'replication', replicationId())
  call('HSET', META, 'lastSession', '0')
  epoch, counter, verified = fmt(first), 0.0, true
  call('HSET', META, 'epoch', epoch)
  local at = fmt(now)
  local root = {here(), here(), here(), at, at, '0', '0', '0', 'p', '0', '0', '0', '0'}
  call('HSET', K .. 'n:/', 'stat', table.concat(root, ' '))
  call('HSET', K .. 'n:/', 'data', '')
end
verify(ARGV[6])
reapSessions()
local seal = ask('HGET', META, 'seal')
if seal == false or seal == '' then
  seal = ARGV[3]
  call('HSET', META, 'seal', seal)
end
local number = fmt(count(META, ask('HGET', META, 'lastSession')) + 1)
local sid = 's' .. epoch .. '-' .. number
local at = K .. 's:' .. sid
ask('HGET', at, 'timeout')
call('HSET', META, 'lastSession', number)
call('HSET', at, 'timeout', ARGV[5])
call('HSET', at, 'generation', '1')
call('HSET', at, 'lastRequest', '0')
call('HSET', at, 'told', here())
call('ZADD', SESSIONS, fmt(now + ARGV[5]), sid)
return answer('OK', sid, seal)
`)

/**
 * Attaches a session to a new connection: from now on what an older connection sent is refused, however late it comes.
 *
 * ARGV[5] is the number of the session's last request, ARGV[6] the last position that it has seen, whether it watches
 * or not. A server that has less than that has lost what this session relies on: then the session ends.
 */
export const ATTACH = scriptOf(`
if epoch == false then return answer('EXPIRED') end
local e, c = match(ARGV[6], '^(%d+)%-(%d+)$')
verify(ARGV[6])
local isCut = false
if e ~= epoch then
  local reached = ask('HGET', K .. 'epochs', e)
  isCut = not isCount(reached) or reached + 0.0 < c + 0.0
end
reapSessions()
if not isLive() then return answer('EXPIRED') end
if isCut then
  endSession(SID)
  return answer('EXPIRED')
end
local at = K .. 's:' .. SID
-- An attempt that was given up may reach the server after the one that followed it.
local generation = ask('HGET', at, 'generation')
if generation == false then return answer('EXPIRED') end
if count(at, generation) >= GENERATION + 0.0 then return answer('MOVED') end
local timeout = count(at, ask('HGET', at, 'timeout'))
call('HSET', at, 'generation', GENERATION)
call('HSET', at, 'lastRequest', ARGV[5])
call('ZADD', SESSIONS, fmt(now + timeout), SID)
return answer('OK')
`)

/**
 * Ends what is due and brings a session's news.
 *
 * ARGV[5] is '1' if it also proves that the session is alive; ARGV[6] how many milliseconds of the time that an empty
 * container has left are skipped. ARGV[7], if there is one, is how many registrations of watches follow that nobody
 * waits for any more; the others after them are looked at and registered again. Answers their stats, as CHECK.
 */
export const TICK = scriptOf(`${NODE_REAPER}${SWEEP}${REGISTER}
reapSessions()
if epoch ~= false then
  reapNodes('c', 'empty', now + ARGV[6])
  reapNodes('t', 'ttl', now)
  sweep()
end
if SID == '' then return answer('OK') end
if not isLive() then return answer('EXPIRED') end
if ARGV[5] == '1' and not renew() then return answer('MOVED') end
if ARGV[7] == nil then return answer('OK') end
-- One of an older connection must not take away what has been registered since.
if ask('HGET', keyOf('s', SID), 'generation') ~= GENERATION then return answer('MOVED') end
local first = 8 + ARGV[7]
for i = 8, first - 1 do unregister(SID, ARGV[i]) end
local stats = look(first)
return answer('OK', stats)
`)

/** Ends a session and its ephemeral nodes, whatever its generation. */
export const END = scriptOf(`
reapSessions()
if isLive() then endSession(SID) end
return answer('OK')
`)
