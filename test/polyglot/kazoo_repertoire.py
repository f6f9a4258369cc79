"""What applications do with kazoo, against the servers whose addresses are the first argument.

With a second argument, one address of another server of the same ensemble, it also moves between servers.
"""

import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (
    AuthFailedError,
    BadVersionError,
    InvalidACLError,
    NoAuthError,
    NoChildrenForEphemeralsError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
    RuntimeInconsistency,
)
from kazoo.protocol.states import EventType
from kazoo.recipe.watchers import ChildrenWatch, DataWatch
from kazoo.security import CREATOR_ALL_ACL, make_acl, make_digest_acl

HOSTS = sys.argv[1]
WAIT_S = 20


def works(what):
    print("ok " + what, flush=True)


def ask(request, argument=""):
    print(f"ask {request} {argument}", flush=True)
    assert sys.stdin.readline().strip() == "done"


def client(**options):
    made = KazooClient(hosts=HOSTS, timeout=30, **options)
    made.start(timeout=WAIT_S)
    return made


def thread(target, *args):
    # A daemon: what hangs in one must not keep the program from telling that it failed.
    return threading.Thread(target=target, args=args, daemon=True)


def raises(error, call, *args, **options):
    try:
        call(*args, **options)
    except error as caught:
        return caught
    raise AssertionError(f"{call} does not raise {error}")


def until(question, what):
    deadline = time.monotonic() + WAIT_S
    while not question():
        assert time.monotonic() < deadline, f"{what} does not come true"
        time.sleep(0.01)


def nodes(zk):
    assert zk.create("/crud", b"one") == "/crud"
    raises(NodeExistsError, zk.create, "/crud", b"")
    data, stat = zk.get("/crud")
    assert data == b"one" and stat.version == 0 and stat.dataLength == 3 and stat.ephemeralOwner == 0
    assert abs(stat.created - time.time()) < 3600
    stat = zk.set("/crud", b"two", version=0)
    assert stat.version == 1
    raises(BadVersionError, zk.set, "/crud", b"three", version=0)
    raises(NoNodeError, zk.get, "/missing")
    assert zk.exists("/missing") is None
    zk.create("/crud/deep/down", b"x", makepath=True)
    raises(NotEmptyError, zk.delete, "/crud")
    assert zk.create("/crud/s-", b"", sequence=True) == "/crud/s-0000000001"
    path, stat = zk.create("/crud/e-", b"", ephemeral=True, sequence=True, include_data=True)
    assert path == "/crud/e-0000000002" and stat.ephemeralOwner == zk.client_id[0]
    raises(NoChildrenForEphemeralsError, zk.create, path + "/child", b"")
    assert sorted(zk.get_children("/crud")) == ["deep", "e-0000000002", "s-0000000001"]
    names, stat = zk.get_children("/crud", include_data=True)
    assert len(names) == 3 and stat.numChildren == 3
    zk.ensure_path("/crud/a/b/c")
    assert zk.sync("/crud") == "/crud"
    zk.delete("/crud", recursive=True)
    assert zk.exists("/crud") is None
    zk.create("/big", b"x" * 900_000)
    assert len(zk.get("/big")[0]) == 900_000
    zk.create("/none", None)
    assert zk.get("/none")[0] in (None, b"")
    zk.create("/caf\u00e9/\u4e2d", b"", makepath=True)
    assert zk.get_children("/caf\u00e9") == ["\u4e2d"]
    works("nodes")


def permissions(zk):
    acl = [make_digest_acl("ann", "sesame", all=True), make_acl("world", "anyone", read=True)]
    zk.create("/acl", b"mine", acl=acl)
    assert zk.get("/acl")[0] == b"mine"
    raises(NoAuthError, zk.set, "/acl", b"yours")
    raises(NoAuthError, zk.create, "/acl/child", b"")
    zk.add_auth("digest", "ann:sesame")
    assert zk.set("/acl", b"ours").version == 1
    acls, stat = zk.get_acls("/acl")
    assert len(acls) == 2 and acls[0].id.scheme == "digest" and stat.aversion == 0
    assert zk.set_acls("/acl", [make_digest_acl("ann", "sesame", read=True, delete=True)]).aversion == 1
    raises(NoAuthError, zk.set_acls, "/acl", acl)
    raises(InvalidACLError, zk.create, "/acl-bad", b"", acl=[make_acl("nobody-knows", "x", all=True)])
    # kazoo sends null for the empty id of `auth`.
    zk.create("/acl-own", b"", acl=CREATOR_ALL_ACL)
    assert [entry.id.id.split(":")[0] for entry in zk.get_acls("/acl-own")[0]] == ["ann"]
    zk.set_acls("/acl-own", CREATOR_ALL_ACL)
    t = zk.transaction()
    t.create("/acl-own/part", b"", acl=CREATOR_ALL_ACL)
    assert t.commit() == ["/acl-own/part"]
    with_identity = client(auth_data=[("digest", "ann:sesame")])
    assert with_identity.get("/acl")[0] == b"ours"
    with_identity.stop()
    stranger = client()
    raises(NoAuthError, stranger.get, "/acl")
    raises(NoAuthError, stranger.get, "/acl-own")
    raises(InvalidACLError, stranger.create, "/acl-nobody", b"", acl=CREATOR_ALL_ACL)
    raises((AuthFailedError, Exception), stranger.add_auth, "nobody-knows", "x")
    stranger.stop()
    works("permissions")


def transactions(zk):
    zk.ensure_path("/txn")
    t = zk.transaction()
    t.create("/txn/a", b"1")
    t.create("/txn/s-", b"", sequence=True)
    t.set_data("/txn/a", b"2")
    t.check("/txn/a", version=1)
    t.delete("/txn/a", version=1)
    path, sequential, stat, checked, deleted = t.commit()
    assert path == "/txn/a" and sequential == "/txn/s-0000000001" and stat.version == 1 and checked and deleted
    t = zk.transaction()
    t.create("/txn/b", b"")
    t.check("/txn", version=99)
    t.create("/txn/c", b"")
    first, second, third = t.commit()
    assert isinstance(first, RolledBackError) and isinstance(second, BadVersionError)
    assert isinstance(third, RuntimeInconsistency) and zk.exists("/txn/b") is None
    works("transactions")


def watches(zk):
    seen = []
    other = client()
    zk.ensure_path("/watched")
    zk.get("/watched", watch=seen.append)
    zk.get_children("/watched", watch=seen.append)
    zk.exists("/watched/new", watch=seen.append)
    other.set("/watched", b"1")
    other.create("/watched/new", b"")
    until(lambda: len(seen) == 3, "three events")
    assert [event.type for event in seen] == [EventType.CHANGED, EventType.CREATED, EventType.CHILD]
    values, children = [], []
    DataWatch(zk, "/watched/data", lambda data, stat: values.append(data))
    ChildrenWatch(zk, "/watched", lambda names: children.append(sorted(names)))
    other.create("/watched/data", b"1")
    until(lambda: values == [None, b"1"], "a value")
    other.set("/watched/data", b"2")
    until(lambda: values == [None, b"1", b"2"], "another value")
    other.delete("/watched/data")
    until(lambda: values == [None, b"1", b"2", None], "the end of the value")
    until(lambda: children[-1] == ["new"] and len(children) >= 2, "children")
    other.stop()
    works("watches")


def locks(zk):
    other = client()
    order, lock = [], zk.Lock("/lock", "first")
    assert lock.acquire(timeout=WAIT_S)
    second = other.Lock("/lock", "second")
    assert not second.acquire(blocking=False)

    def wait():
        with second:
            order.append("second")

    waiting = thread(wait)
    waiting.start()
    until(lambda: lock.contenders() == ["first", "second"], "a queue")
    order.append("first")
    lock.release()
    waiting.join(WAIT_S)
    assert order == ["first", "second"]
    reader, another = zk.ReadLock("/rw", "r1"), other.ReadLock("/rw", "r2")
    assert reader.acquire(timeout=WAIT_S) and another.acquire(timeout=WAIT_S)
    assert not client_lock_free(other)
    reader.release()
    another.release()
    assert client_lock_free(other)
    semaphore = zk.Semaphore("/semaphore", max_leases=2)
    more = [other.Semaphore("/semaphore", max_leases=2) for _ in range(2)]
    assert semaphore.acquire(timeout=WAIT_S) and more[0].acquire(timeout=WAIT_S)
    assert not more[1].acquire(blocking=False)
    semaphore.release()
    assert more[1].acquire(timeout=WAIT_S)
    more[0].release()
    more[1].release()
    other.stop()
    works("locks and semaphores")


def client_lock_free(zk):
    writer = zk.WriteLock("/rw", "w")
    if not writer.acquire(blocking=False):
        return False
    writer.release()
    return True


def elections(zk):
    other, led = client(), []
    first, second = zk.Election("/election", "a"), other.Election("/election", "b")
    go = threading.Event()

    def lead():
        led.append("a")
        assert go.wait(WAIT_S)

    threads = [thread(first.run, lead)]
    threads[0].start()
    until(lambda: led == ["a"], "a leader")
    threads.append(thread(second.run, lambda: led.append("b")))
    threads[1].start()
    until(lambda: first.contenders() == ["a", "b"], "two candidates")
    assert led == ["a"]
    go.set()
    for each in threads:
        each.join(WAIT_S)
    assert led == ["a", "b"]
    other.stop()
    works("elections")


def barriers(zk):
    other, passed = client(), []
    barrier = zk.Barrier("/barrier")
    barrier.create()
    waiting = thread(lambda: passed.append(other.Barrier("/barrier").wait(WAIT_S)))
    waiting.start()
    assert not passed
    barrier.remove()
    waiting.join(WAIT_S)
    assert passed == [True]
    steps = []
    # kazoo's enter() asks for "ready", and then for the members. Who leaves in between, its "ready" removed, is not
    # counted any more, and enter() waits forever, on whatever servers. So nobody leaves before all are inside.
    inside = threading.Barrier(2)

    def take_part(party, name):
        double = party.DoubleBarrier("/double", 2, identifier=name)
        double.enter()
        steps.append("in")
        inside.wait(WAIT_S)
        double.leave()
        steps.append("out")

    threads = [thread(take_part, *args) for args in ((zk, "a"), (other, "b"))]
    for each in threads:
        each.start()
    for each in threads:
        each.join(WAIT_S)
    assert sorted(steps) == ["in", "in", "out", "out"]
    other.stop()
    works("barriers")


def counters(zk):
    other = client()

    def count(party):
        counter = party.Counter("/counter", default=0)
        for _ in range(20):
            counter += 1

    threads = [thread(count, party) for party in (zk, other)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(WAIT_S)
    assert zk.Counter("/counter").value == 40
    other.stop()
    works("counters")


def parties(zk):
    other = client()
    party, another = zk.Party("/party", "one"), other.Party("/party", "two")
    shallow = other.ShallowParty("/shallow-party", "three")
    for member in (party, another, shallow):
        member.join()
    assert sorted(party) == ["one", "two"] and list(shallow) == ["three"]
    party.leave()
    assert list(another) == ["two"]
    other.stop()
    until(lambda: zk.get_children("/party") == [], "an empty party")
    queue = zk.LockingQueue("/queue")
    queue.put_all([b"1", b"2"])
    assert queue.get(WAIT_S) == b"1" and queue.consume() and len(queue) == 1
    works("parties and queues")


def reconnects(zk):
    states, seen = [], []
    zk.add_listener(states.append)
    zk.create("/reconnect", b"", ephemeral=True)
    zk.create("/reconnect-data", b"1")
    zk.get("/reconnect-data", watch=seen.append)
    session = zk.client_id[0]
    ask("disconnect", session)
    until(lambda: states[-2:] == [KazooState.SUSPENDED, KazooState.CONNECTED], "a reconnect")
    assert zk.client_id[0] == session and zk.exists("/reconnect").ephemeralOwner == session
    other = client()
    other.set("/reconnect-data", b"2")
    until(lambda: len(seen) == 1, "the event of a watch from before")
    ask("expire", session)
    until(lambda: states[-2:] == [KazooState.LOST, KazooState.CONNECTED], "a new session")
    assert zk.client_id[0] != session and other.exists("/reconnect") is None
    other.stop()
    works("reconnects")


def lives(zk):
    states = []
    zk.add_listener(states.append)
    zk.create("/lives", b"", ephemeral=True)
    session = zk.client_id[0]
    # Everything that the servers hold is gone. The time-out of the session is longer than anybody waits here.
    ask("begin-again")
    until(lambda: states[-2:] == [KazooState.LOST, KazooState.CONNECTED], "a new session")
    assert zk.client_id[0] != session and zk.exists("/lives") is None
    zk.create("/lives", b"", ephemeral=True)
    works("lives")


def moves(zk):
    lost = []
    zk.create("/moves", b"", ephemeral=True)
    session = zk.client_id[0]
    zk.add_listener(lambda state: lost.append(state) if state == KazooState.LOST else None)
    value = b""
    for at in range(3):
        ask("crash-server-of", session)
        value = str(at).encode()
        zk.retry(zk.set, "/moves", value)
        ask("restart")
    assert zk.client_id[0] == session and zk.get("/moves")[0] == value and not lost
    works("moves")


def main():
    zk = client()
    if len(sys.argv) > 2:
        moves(zk)
    else:
        for check in (
            nodes, permissions, transactions, watches, locks, elections, barriers, counters, parties, reconnects, lives
        ):
            check(zk)
    zk.stop()
    zk.close()


main()
