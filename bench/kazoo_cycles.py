"""kazoo's recipes, each a cycle that is repeated and timed here; moved by the lines of the input.

A line is `<number> <actor> <verb> <arguments>`, answered by `answer <number> <text>` or `failure <number> <text>`.
`open <recipe> <lanes> <path>` makes a session and the recipe's objects for each lane, `round <ms>` does the cycle in
all lanes for that long, and answers with how long it took and how long each time, in milliseconds. The argument is
where the servers are.
"""

import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.recipe.barrier import Barrier, DoubleBarrier
from kazoo.recipe.cache import TreeCache, TreeEvent
from kazoo.recipe.counter import Counter
from kazoo.recipe.election import Election
from kazoo.recipe.lock import Lock, ReadLock, Semaphore, WriteLock
from kazoo.recipe.party import Party
from kazoo.recipe.queue import LockingQueue
from kazoo.recipe.watchers import ChildrenWatch, DataWatch

HOSTS = sys.argv[1]
SESSION_TIMEOUT_S = 60
WAIT_S = 30
PERMITS = 2
VALUE = b"x" * 100


def both(lock):
    def cycle():
        lock.acquire()
        lock.release()

    return cycle


def member(client, path):
    party = Party(client, path, "one")

    def cycle():
        party.join()
        party.leave()

    return cycle


def barrier(client, path):
    gate = Barrier(client, path + "/barrier")

    def cycle():
        gate.create()
        gate.remove()

    return cycle


def double_barrier(client, path):
    def cycle():
        gate = DoubleBarrier(client, path, 1, "one")
        gate.enter()
        gate.leave()

    return cycle


def counter(client, path):
    count = Counter(client, path)

    def cycle():
        count.__add__(1)

    return cycle


def queue(client, path):
    items = LockingQueue(client, path)

    def cycle():
        items.put(VALUE)
        items.get(WAIT_S)
        items.consume()

    return cycle


class Seen:
    """Waits until a watcher has told of a change."""

    def __init__(self):
        self.event = threading.Event()

    def tell(self, *_):
        self.event.set()

    def after(self, change):
        self.event.clear()
        change()
        if not self.event.wait(WAIT_S):
            raise RuntimeError("no change was seen")


def node_cache(client, path):
    client.ensure_path(path)
    seen = Seen()
    DataWatch(client, path, seen.tell)
    return lambda: seen.after(lambda: client.set(path, VALUE))


def made_and_removed(client, node, seen):
    def cycle():
        seen.after(lambda: client.create(node, VALUE))
        seen.after(lambda: client.delete(node))

    return cycle


def children_cache(client, path):
    client.ensure_path(path)
    seen = Seen()
    ChildrenWatch(client, path, seen.tell)
    return made_and_removed(client, path + "/child", seen)


def tree_cache(client, path):
    client.ensure_path(path + "/deep")
    seen = Seen()
    cache = TreeCache(client, path)
    # Its last word on what was there already.
    initialized = threading.Event()
    cache.listen(lambda event: event.event_type == TreeEvent.INITIALIZED and initialized.set())
    cache.start()
    initialized.wait(WAIT_S)
    cache.listen(seen.tell)
    return made_and_removed(client, path + "/deep/node", seen)


CYCLES = {
    "lock": lambda client, path: both(Lock(client, path)),
    "read": lambda client, path: both(ReadLock(client, path)),
    "write": lambda client, path: both(WriteLock(client, path)),
    "semaphore": lambda client, path: both(Semaphore(client, path, max_leases=PERMITS)),
    "leader": lambda client, path: lambda: Election(client, path).run(lambda: None),
    "member": member,
    "barrier": barrier,
    "double": double_barrier,
    "counter": counter,
    "queue": queue,
    "node-cache": node_cache,
    "children-cache": children_cache,
    "tree-cache": tree_cache,
}


class Bench:
    def __init__(self):
        self.clients = []
        self.cycles = []

    def open(self, recipe, lanes, path):
        if recipe not in CYCLES:
            return "none"
        for _ in range(int(lanes)):
            client = KazooClient(hosts=HOSTS, timeout=SESSION_TIMEOUT_S)
            client.start(timeout=WAIT_S)
            self.clients.append(client)
            self.cycles.append(CYCLES[recipe](client, path))
        return ""

    def round(self, duration_ms):
        latencies = [[] for _ in self.cycles]
        errors = []
        start = time.perf_counter()
        end = start + int(duration_ms) / 1000

        def run(cycle, mine):
            try:
                before = time.perf_counter()
                while not mine or before < end:
                    cycle()
                    after = time.perf_counter()
                    mine.append(after - before)
                    before = after
            except Exception as error:  # told by who waits for the thread
                errors.append(error)

        threads = [threading.Thread(target=run, args=pair) for pair in zip(self.cycles, latencies)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        took = time.perf_counter() - start
        return " ".join(f"{1000 * one:.4f}" for one in [took, *(one for mine in latencies for one in mine)])

    def close(self):
        for client in self.clients:
            client.stop()
            client.close()
        self.clients, self.cycles = [], []
        return ""


bench = Bench()
for line in sys.stdin:
    number, _, verb, *args = line.split()
    try:
        print("answer", number, getattr(bench, verb)(*args), flush=True)
    except Exception as error:  # the other side throws it
        print("failure", number, repr(error).replace("\n", " "), flush=True)
