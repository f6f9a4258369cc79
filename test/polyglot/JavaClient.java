import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Scanner;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;

/**
 * Typical uses of ZooKeeper's own Java client, against the servers whose addresses are the first argument.
 * With a second argument it moves between servers instead.
 */
public final class JavaClient {
    private static final long WAIT_S = 20;
    private static final Scanner INPUT = new Scanner(System.in);
    private static String hosts;

    private interface Call {
        void run() throws Exception;
    }

    private static final class Session implements Watcher, AutoCloseable {
        final BlockingQueue<WatchedEvent> states = new ArrayBlockingQueue<>(1_000);
        final ZooKeeper zk;

        Session() throws Exception {
            zk = new ZooKeeper(hosts, 10_000, this);
            until(KeeperState.SyncConnected);
        }

        @Override
        public void process(WatchedEvent event) {
            states.add(event);
        }

        void until(KeeperState state) throws Exception {
            for (;;) {
                WatchedEvent event = states.poll(WAIT_S, TimeUnit.SECONDS);
                check(event != null, "state " + state);
                if (event.getType() == EventType.None && event.getState() == state) {
                    return;
                }
            }
        }

        @Override
        public void close() throws InterruptedException {
            zk.close();
        }
    }

    public static void main(String[] args) throws Exception {
        hosts = args[0];
        if (args.length > 1) {
            moves();
            return;
        }
        try (Session session = new Session()) {
            nodes(session.zk);
            permissions(session.zk);
            transactions(session.zk);
            watches(session.zk);
            persistentWatches(session.zk);
            pipelines(session.zk);
        }
        reconnects();
    }

    private static void nodes(ZooKeeper zk) throws Exception {
        Stat stat = new Stat();
        check("/crud".equals(zk.create("/crud", bytes("one"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, stat)), "path");
        check(stat.getVersion() == 0 && stat.getDataLength() == 3 && stat.getCzxid() == stat.getMzxid(), "stat");
        check("one".equals(text(zk.getData("/crud", false, stat))), "data");
        check(zk.setData("/crud", bytes("two"), 0).getVersion() == 1, "version");
        refused(KeeperException.Code.BADVERSION, () -> zk.setData("/crud", bytes("x"), 0));
        refused(KeeperException.Code.NODEEXISTS, () -> make(zk, "/crud", CreateMode.PERSISTENT));
        refused(KeeperException.Code.NONODE, () -> zk.getData("/missing", false, null));
        check(make(zk, "/crud/s-", CreateMode.PERSISTENT_SEQUENTIAL).equals("/crud/s-0000000000"), "sequence");
        String ephemeral = make(zk, "/crud/e-", CreateMode.EPHEMERAL_SEQUENTIAL);
        check(zk.exists(ephemeral, false).getEphemeralOwner() == zk.getSessionId(), "owner");
        check(zk.getEphemerals("/crud").equals(List.of(ephemeral)), "ephemerals");
        refused(KeeperException.Code.NOCHILDRENFOREPHEMERALS, () -> make(zk, ephemeral + "/x", CreateMode.PERSISTENT));
        refused(KeeperException.Code.NOTEMPTY, () -> zk.delete("/crud", -1));
        make(zk, "/crud/container", CreateMode.CONTAINER);
        zk.create("/crud/ttl", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, stat, 60_000);
        check(zk.exists("/crud/ttl", false).getEphemeralOwner() == 0, "owner of a node with a time to live");
        check(zk.getChildren("/crud", false, stat).size() == 4 && stat.getNumChildren() == 4, "children");
        check(zk.getAllChildrenNumber("/crud") == 4, "all children");
        check(zk.whoAmI().size() == 1, "who am I");
        refused(KeeperException.Code.BADARGUMENTS, () -> zk.delete("/zookeeper", -1));
        works("nodes");
    }

    private static void permissions(ZooKeeper zk) throws Exception {
        Id ann = new Id("digest", DigestAuthenticationProvider.generateDigest("ann:sesame"));
        List<ACL> acl = new ArrayList<>();
        acl.add(new ACL(Perms.ALL, ann));
        acl.add(new ACL(Perms.READ, Ids.ANYONE_ID_UNSAFE));
        zk.create("/acl", bytes("mine"), acl, CreateMode.PERSISTENT);
        refused(KeeperException.Code.NOAUTH, () -> zk.setData("/acl", null, -1));
        zk.addAuthInfo("digest", bytes("ann:sesame"));
        zk.setData("/acl", bytes("ours"), -1);
        Stat stat = new Stat();
        check(zk.getACL("/acl", stat).equals(acl), "acl");
        check(zk.setACL("/acl", Ids.READ_ACL_UNSAFE, stat.getAversion()).getAversion() == 1, "aversion");
        refused(KeeperException.Code.NOAUTH, () -> zk.setData("/acl", null, -1));
        zk.create("/acl-own", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        refused(KeeperException.Code.INVALIDACL, () -> zk.create("/x", null, new ArrayList<>(), CreateMode.PERSISTENT));
        try (Session stranger = new Session()) {
            refused(KeeperException.Code.NOAUTH, () -> stranger.zk.getData("/acl-own", false, null));
            check(stranger.zk.getACL("/acl", stat).equals(Ids.READ_ACL_UNSAFE), "acl of another");
            stranger.zk.addAuthInfo("nobody-knows", bytes("x"));
            stranger.until(KeeperState.AuthFailed);
        }
        works("permissions");
    }

    private static void transactions(ZooKeeper zk) throws Exception {
        List<OpResult> results = zk.multi(List.of(
            Op.create("/txn", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.create("/txn/s-", bytes("1"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL),
            Op.setData("/txn", bytes("2"), 0),
            Op.check("/txn", 1),
            Op.delete("/txn/s-0000000000", 0)));
        check(results.size() == 5, "results");
        check(((OpResult.CreateResult) results.get(1)).getPath().equals("/txn/s-0000000000"), "path in a transaction");
        try {
            zk.multi(List.of(
                Op.create("/txn/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.check("/txn", 9),
                Op.delete("/txn/a", -1)));
            check(false, "a transaction that has to fail");
        } catch (KeeperException.BadVersionException error) {
            check(error.getResults().size() == 3, "results of a failure");
        }
        check(zk.exists("/txn/a", false) == null, "nothing of it happens");
        List<OpResult> reads = zk.multi(List.of(Op.getData("/txn"), Op.getChildren("/txn"), Op.getData("/missing")));
        check(text(((OpResult.GetDataResult) reads.get(0)).getData()).equals("2"), "read in a batch");
        check(((OpResult.ErrorResult) reads.get(2)).getErr() == KeeperException.Code.NONODE.intValue(), "missing");
        works("transactions");
    }

    private static void watches(ZooKeeper zk) throws Exception {
        BlockingQueue<WatchedEvent> seen = new ArrayBlockingQueue<>(100);
        make(zk, "/watched", CreateMode.PERSISTENT);
        try (Session other = new Session()) {
            other.zk.getData("/watched", seen::add, null);
            other.zk.getChildren("/watched", seen::add);
            other.zk.exists("/watched/new", seen::add);
            zk.setData("/watched", null, -1);
            happens(seen, EventType.NodeDataChanged, "/watched");
            make(zk, "/watched/new", CreateMode.PERSISTENT);
            happens(seen, EventType.NodeCreated, "/watched/new");
            happens(seen, EventType.NodeChildrenChanged, "/watched");
            Watcher removed = seen::add;
            other.zk.getData("/watched", removed, null);
            other.zk.removeWatches("/watched", removed, Watcher.WatcherType.Any, false);
            happens(seen, EventType.DataWatchRemoved, "/watched");
            zk.setData("/watched", null, -1);
            other.zk.sync("/watched", (code, path, context) -> { }, null);
            other.zk.exists("/watched", false);
            check(seen.isEmpty(), "no more events");
            refused(KeeperException.Code.NOWATCHER,
                () -> other.zk.removeAllWatches("/watched", Watcher.WatcherType.Any, false));
        }
        works("watches");
    }

    private static void persistentWatches(ZooKeeper zk) throws Exception {
        BlockingQueue<WatchedEvent> one = new ArrayBlockingQueue<>(100);
        BlockingQueue<WatchedEvent> all = new ArrayBlockingQueue<>(100);
        try (Session other = new Session()) {
            other.zk.addWatch("/persistent", one::add, AddWatchMode.PERSISTENT);
            make(zk, "/persistent", CreateMode.PERSISTENT);
            happens(one, EventType.NodeCreated, "/persistent");
            other.zk.addWatch("/persistent/all", all::add, AddWatchMode.PERSISTENT_RECURSIVE);
            make(zk, "/persistent/all", CreateMode.PERSISTENT);
            happens(one, EventType.NodeChildrenChanged, "/persistent");
            happens(all, EventType.NodeCreated, "/persistent/all");
            make(zk, "/persistent/all/deep", CreateMode.PERSISTENT);
            zk.setData("/persistent/all/deep", null, -1);
            zk.delete("/persistent/all/deep", -1);
            happens(all, EventType.NodeCreated, "/persistent/all/deep");
            happens(all, EventType.NodeDataChanged, "/persistent/all/deep");
            happens(all, EventType.NodeDeleted, "/persistent/all/deep");
            for (int i = 0; i < 3; i++) {
                zk.setData("/persistent", null, -1);
                happens(one, EventType.NodeDataChanged, "/persistent");
            }
            other.zk.removeAllWatches("/persistent/all", Watcher.WatcherType.Any, false);
            zk.setData("/persistent/all", null, -1);
            other.zk.exists("/persistent", false);
            check(all.stream().noneMatch(event -> event.getType() == EventType.NodeDataChanged), "no more events");
        }
        works("persistent watches");
    }

    private static void pipelines(ZooKeeper zk) throws Exception {
        int count = 500;
        AtomicInteger next = new AtomicInteger();
        CountDownLatch done = new CountDownLatch(count);
        make(zk, "/many", CreateMode.PERSISTENT);
        for (int i = 0; i < count; i++) {
            int expected = i;
            zk.create("/many/n-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL, (code, path, context, name) -> {
                if (code == 0 && name.equals(String.format("/many/n-%010d", expected))) {
                    next.compareAndSet(expected, expected + 1);
                }
                done.countDown();
            }, null);
        }
        check(done.await(WAIT_S, TimeUnit.SECONDS) && next.get() == count, "order of " + count + " pipelined creates");
        works("pipelines");
    }

    private static void reconnects() throws Exception {
        BlockingQueue<WatchedEvent> seen = new ArrayBlockingQueue<>(100);
        try (Session session = new Session(); Session other = new Session()) {
            ZooKeeper zk = session.zk;
            make(zk, "/reconnect", CreateMode.EPHEMERAL);
            make(other.zk, "/reconnect-data", CreateMode.PERSISTENT);
            zk.getData("/reconnect-data", seen::add, null);
            zk.addWatch("/reconnect-data/below", seen::add, AddWatchMode.PERSISTENT_RECURSIVE);
            ask("disconnect", zk.getSessionId());
            session.until(KeeperState.Disconnected);
            session.until(KeeperState.SyncConnected);
            check(zk.exists("/reconnect", false).getEphemeralOwner() == zk.getSessionId(), "the same session");
            other.zk.setData("/reconnect-data", null, -1);
            happens(seen, EventType.NodeDataChanged, "/reconnect-data");
            make(other.zk, "/reconnect-data/below", CreateMode.PERSISTENT);
            happens(seen, EventType.NodeCreated, "/reconnect-data/below");
            ask("expire", zk.getSessionId());
            session.until(KeeperState.Expired);
            check(other.zk.exists("/reconnect", false) == null, "nothing of the session is left");
        }
        works("reconnects");
    }

    private static void moves() throws Exception {
        try (Session session = new Session()) {
            ZooKeeper zk = session.zk;
            long id = zk.getSessionId();
            make(zk, "/moves", CreateMode.EPHEMERAL);
            for (int i = 0; i < 3; i++) {
                ask("crash-server-of", id);
                session.until(KeeperState.Disconnected);
                session.until(KeeperState.SyncConnected);
                check(zk.setData("/moves", null, i).getVersion() == i + 1, "write " + i);
                ask("restart", 0);
            }
            check(zk.getSessionId() == id, "the same session");
        }
        works("moves");
    }

    private static String make(ZooKeeper zk, String path, CreateMode mode) throws Exception {
        return zk.create(path, null, Ids.OPEN_ACL_UNSAFE, mode);
    }

    private static void happens(BlockingQueue<WatchedEvent> seen, EventType type, String path) throws Exception {
        WatchedEvent event;
        do {
            // Every watcher is told of the states of the connection, too.
            event = seen.poll(WAIT_S, TimeUnit.SECONDS);
        } while (event != null && event.getType() == EventType.None);
        check(event != null && event.getType() == type && path.equals(event.getPath()), type + " " + path + ": " + event);
    }

    private static void refused(KeeperException.Code code, Call call) throws Exception {
        try {
            call.run();
        } catch (KeeperException error) {
            check(error.code() == code, "refused with " + error.code() + ", not " + code);
            return;
        }
        check(false, "refused with " + code);
    }

    private static void check(boolean isTrue, String what) {
        if (!isTrue) {
            throw new AssertionError(what);
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] data) {
        return new String(data, StandardCharsets.UTF_8);
    }

    private static void ask(String request, long argument) {
        System.out.println("ask " + request + " " + argument);
        check(INPUT.nextLine().equals("done"), request);
    }

    private static void works(String what) {
        System.out.println("ok " + what);
    }
}
