/** Nodes, lists and events in zkCli's form. */
import type { Stat, WatchEvent } from '../../core/backend.ts'
import { oneLine } from '../visible.ts'

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** The names of events in ZooKeeper. */
const EVENTS: Readonly<Record<WatchEvent['type'], string>> = {
  created: 'NodeCreated',
  deleted: 'NodeDeleted',
  changed: 'NodeDataChanged',
  children: 'NodeChildrenChanged',
}

/** The lines of a stat. */
export function statText(stat: Stat): string {
  return [
    `cZxid = ${hex(stat.czxid)}`,
    `ctime = ${timeText(stat.ctime)}`,
    `mZxid = ${hex(stat.mzxid)}`,
    `mtime = ${timeText(stat.mtime)}`,
    `pZxid = ${hex(stat.pzxid)}`,
    `cversion = ${stat.cversion}`,
    `dataVersion = ${stat.version}`,
    `aclVersion = ${stat.aversion}`,
    `ephemeralOwner = ${hex(stat.ephemeralOwner)}`,
    `dataLength = ${stat.dataLength}`,
    `numChildren = ${stat.numChildren}`,
    '',
  ].join('\n')
}

/** A list as Java prints one. */
export function listText(names: readonly string[]): string {
  return `[${names.map(oneLine).join(', ')}]\n`
}

/** An int64 in hexadecimal, as Java's `Long.toHexString`. */
export function hex(value: bigint): string {
  return `0x${BigInt.asUintN(64, value).toString(16)}`
}

/** A time as Java's `Date.toString`. */
function timeText(ms: number): string {
  const date = new Date(ms)
  const zone = /GMT([+-]\d+)/.exec(date.toString())?.[1] === '+0000' ? 'UTC' : zoneOf(date)
  const two = (value: number): string => String(value).padStart(2, '0')
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  const day = `${DAYS[date.getDay()] ?? ''} ${MONTHS[date.getMonth()] ?? ''} ${two(date.getDate())}`
  return `${day} ${time} ${zone} ${date.getFullYear()}`
}

/** An event as zkCli prints one; a path of null is that of an event of the session. */
export function eventText(type: string, state: string, path: string | null): string {
  return `\nWATCHER::\n\nWatchedEvent state:${state} type:${type} path:${oneLine(String(path))}\n`
}

/** ZooKeeper's name of an event. */
export function eventName(type: WatchEvent['type']): string {
  return EVENTS[type]
}

/** How long ago something was, for people. */
export function agoText(sinceMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - sinceMs) / 1_000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  const hours = Math.floor(seconds / 3_600)
  if (hours < 24) return `${hours} h ${Math.floor((seconds % 3_600) / 60)} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

function zoneOf(date: Date): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date)
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'UTC'
}
