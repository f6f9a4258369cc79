/**
 * The engines that the recipes of this package stand on, for those who write a recipe of their own. The guide "Write a
 * recipe" builds one from nothing.
 *
 * - {@link Contenders}: a queue of nodes, and a rule that says who of them is admitted.
 * - {@link Mirror}: a local copy of nodes that follows the servers.
 * - {@link KeptNode}: a node of ours that is made again whenever it was lost.
 * - {@link updateVersioned}, {@link writeVersioned}, {@link removeVersioned}: compare-and-set over lost answers.
 * - {@link withinWait}, {@link Wait}: a call that the caller's signal, a limit of time or the end of the client ends.
 * - {@link Cleanups}, {@link deletion}: removals that go on in the background until they are confirmed.
 *
 * @packageDocumentation
 */
export { ANY_CHANGE } from './contender.ts'
export type {
  Admission,
  AdmissionRule,
  Admit,
  Contender,
  ContenderNames,
  ContenderPrefix,
} from './contender.ts'
export { Contenders } from './contenders.ts'
export type { ChooseHolders } from './contenders.ts'
export { curatorNames } from './curator-names.ts'
export { Mirror } from './mirror.ts'
export type { MirrorOptions, MirrorSnapshot } from './mirror.ts'
export { Feed } from './feed.ts'
export type { Delivery, Describe } from './feed.ts'
export { KeptNode } from './kept-node.ts'
export type { KeepOptions, Standing, StandingChange } from './kept-node.ts'
export { byCreation, byMark } from './recognition.ts'
export type { MakeRecognition, Recognition } from './recognition.ts'
export { removeVersioned, updateVersioned, writeVersioned } from './compare-and-set.ts'
export type { ExpectedVersion, SeenNode, UpdateOptions, WrittenNode } from './compare-and-set.ts'
export { Wait } from './wait.ts'
export { withinWait } from './within-wait.ts'
export { Cleanups } from './cleanups.ts'
export type { CleanupTask } from './cleanups.ts'
export { checkIdentity, deletion, ownedNode, readSynced } from './protected-writes.ts'
export type { NodeIdentity, OwnedNode } from './protected-writes.ts'
