"""Takes kazoo's Lock some times over: arguments are servers, path, how often, and whose names of nodes to use."""

import sys

from kazoo.client import KazooClient
from kazoo.recipe.lock import Lock


class CuratorLock(Lock):
    """The lock of Curator's InterProcessMutex, which takes every child for a contender and reads what follows `lock-`."""

    _NODE_NAME = "-lock-"
    _EXCLUDE_NAMES = ["-lock-"]


HOSTS, PATH, ROUNDS, LAYOUT = sys.argv[1:]
LOCKS = {"kazoo": Lock, "curator": CuratorLock}


def ask(what):
    """The test does it, and answers with a line."""
    print("ask", what, "kazoo", flush=True)
    sys.stdin.readline()


client = KazooClient(hosts=HOSTS, timeout=20)
client.start(timeout=60)
ask("ready")
lock = LOCKS[LAYOUT](client, PATH, "kazoo")
for _ in range(int(ROUNDS)):
    with lock:
        ask("enter")
        ask("leave")
client.stop()
print("ok", ROUNDS, "rounds")
