"""Reads with kazoo from the one server that is left of three, until there is a majority again."""
import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import NotReadOnlyCallError, SessionExpiredError
from kazoo.protocol.states import KeeperState

WAIT_S = 20


def ask(request):
    print("ask %s -" % request, flush=True)
    assert sys.stdin.readline().strip() == "done"


client = KazooClient(hosts=sys.argv[1], timeout=10, read_only=True)
client.start(timeout=WAIT_S)
assert client.client_state == KeeperState.CONNECTED_RO, client.client_state
assert client.get("/a")[0] == b"before"
changed = threading.Event()
assert client.exists("/a", watch=lambda event: changed.set())
print("ok reads", flush=True)

for write in (lambda: client.create("/b"), lambda: client.set("/a", b"x"), lambda: client.delete("/a"),
              lambda: client.create("/c", ephemeral=True), lambda: client.sync("/")):
    try:
        write()
    except NotReadOnlyCallError:
        continue
    raise AssertionError("a read-only server took it")
print("ok is refused its writes", flush=True)

session = client.client_id[0]
ask("restart")
for _ in range(200):
    if client.connected and client.client_state == KeeperState.CONNECTED:
        break
    client.handler.sleep_func(0.1)
assert client.client_state == KeeperState.CONNECTED, client.client_state
try:
    client.create("/mine", ephemeral=True)
except SessionExpiredError:
    client.create("/mine", ephemeral=True)
assert client.client_id[0] != session
assert client.exists("/mine").ephemeralOwner == client.client_id[0]
print("ok goes on with a session of its own", flush=True)
client.stop()
