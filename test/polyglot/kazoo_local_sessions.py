"""A session of kazoo that one server alone knows, until it makes an ephemeral node."""
import sys
import threading

from kazoo.client import KazooClient
from kazoo.recipe.lock import Lock

WAIT_S = 20

hosts = sys.argv[1]
client = KazooClient(hosts=hosts.split(",")[0], timeout=10)
client.start(timeout=WAIT_S)
witness = KazooClient(hosts=hosts.split(",")[1], timeout=10)
witness.start(timeout=WAIT_S)
session = client.client_id[0]

client.create("/kept", b"value")
client.set("/kept", b"again")
witness.sync("/kept")
assert witness.get("/kept")[0] == b"again"
told = threading.Event()
assert client.get("/kept", watch=lambda event: told.set())[0] == b"again"
witness.set("/kept", b"third")
assert told.wait(WAIT_S)
print("ok reads, writes and watches", flush=True)

client.create("/mine", ephemeral=True)
assert client.client_id[0] == session
witness.sync("/mine")
assert witness.exists("/mine").ephemeralOwner == session
lock = Lock(client, "/lock")
assert lock.acquire(timeout=WAIT_S)
lock.release()
gone = threading.Event()
assert witness.exists("/mine", watch=lambda event: gone.set())
client.stop()
assert gone.wait(WAIT_S)
print("ok is upgraded by its first ephemeral node, which goes with it", flush=True)
witness.stop()
