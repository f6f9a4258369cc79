/**
 * The epochs with which ensembles in memory begin: nothing of an earlier life is left but what its clients have seen,
 * so a new life has to be later than every earlier one, by the clock.
 *
 * Model     the clock counts epochs of half a second since 2026, so that a zxid, which has 31 bits for its epoch and a
 *           sign, lasts until 2060. An election takes one epoch more, and elections are rarer than that.
 * Safety    lives of one process never share an epoch, however short they are. Lives of different processes do not
 *           either if each begins with a new epoch of the clock ({@link newEpoch}), and the clock is not set back.
 */
/** The duration of one epoch of the clock. */
const EPOCH_MS = 500
/** 2026-01-01, in milliseconds since 1970. */
const ORIGIN_MS = 1_767_225_600_000
/** Room for elections below the greatest epoch that leaves a zxid positive. */
const EPOCH_MAX = 0x7fff_ffff - 0x10_0000

/** The greatest epoch that this process has had. */
let latest = 0

/** An epoch for an ensemble that begins now. */
export function firstEpoch(): number {
  latest = Math.max(epochByClock(), latest + 1)
  return latest
}

/** A leader of this process has this epoch. */
export function noteEpoch(epoch: number): void {
  latest = Math.max(latest, epoch)
}

/** Waits until the clock begins another epoch, so that no other process has begun a life with it. */
export async function newEpoch(): Promise<void> {
  const begun = epochByClock()
  while (epochByClock() === begun) {
    const leftMs = EPOCH_MS - ((Date.now() - ORIGIN_MS) % EPOCH_MS)
    await new Promise((resolve) => setTimeout(resolve, leftMs))
  }
}

function epochByClock(): number {
  return Math.min(Math.max(1, Math.floor((Date.now() - ORIGIN_MS) / EPOCH_MS)), EPOCH_MAX)
}
