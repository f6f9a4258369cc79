"""Changes the servers of an ensemble with kazoo: the address of one, and the line of a server that is added."""
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import BadArgumentsError, BadVersionError, NewConfigNoQuorumError, NoAuthError

address, line = sys.argv[1:3]


def refused(error, client, **change):
    request = {"joining": None, "leaving": None, "new_members": None}
    request.update(change)
    try:
        client.reconfig(**request)
    except error:
        return
    raise AssertionError("not refused: %r" % change)


def servers(data):
    return [part for part in data.decode().split("\n") if part.startswith("server.")]


anybody = KazooClient(hosts=address, timeout=10)
anybody.start(timeout=30)
refused(NoAuthError, anybody, joining=line + ":observer;127.0.0.1:1")
seen = []
anybody.DataWatch("/zookeeper/config", lambda data, stat: seen.append(data))

client = KazooClient(hosts=address, timeout=10, auth_data=[("digest", "super:test")])
client.start(timeout=30)
before = servers(client.get("/zookeeper/config")[0])
data, stat = client.reconfig(joining=line + ":observer;127.0.0.1:1", leaving=None, new_members=None)
assert len(servers(data)) == len(before) + 1, data
assert client.get("/zookeeper/config")[0] == data
print("ok adds a server", flush=True)

version = int(data.decode().split("version=")[1], 16)
data, _ = client.reconfig(joining=None, leaving="4", new_members=None, from_config=version)
assert servers(data) == before, data
refused(BadVersionError, client, leaving="3", from_config=version)
print("ok removes it", flush=True)

some = ",".join(before[:2] + [line + ":observer;127.0.0.1:1"])
data, _ = client.reconfig(joining=None, leaving=None, new_members=some)
assert len(servers(data)) == 3 and "server.3=" not in data.decode(), data
# The leader may have been removed: another one is elected.
data, _ = client.retry(client.reconfig, joining=None, leaving=None, new_members=",".join(before))
assert servers(data) == before, data
print("ok replaces all", flush=True)

refused(NewConfigNoQuorumError, client, new_members=",".join([before[0], line + ":participant;127.0.0.1:1"]))
refused(BadArgumentsError, client, leaving="1,2")
print("ok is told why not", flush=True)

last = client.get("/zookeeper/config")[0]
for _ in range(500):
    if seen and seen[-1] == last:
        print("ok sees it by a watch", flush=True)
        break
    anybody.handler.sleep_func(0.02)
client.stop()
anybody.stop()
