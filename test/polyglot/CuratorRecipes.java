import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Scanner;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;

/**
 * Typical uses of Curator, against the servers whose addresses are the first argument. With a second
 * argument its recipes live through moves between servers instead.
 */
public final class CuratorRecipes {
    private static final long WAIT_S = 20;
    private static final Scanner INPUT = new Scanner(System.in);
    private static String hosts;

    public static void main(String[] args) throws Exception {
        hosts = args[0];
        try (CuratorFramework one = start(); CuratorFramework two = start()) {
            if (args.length > 1) {
                moves(one, two);
                return;
            }
            nodes(one);
            transactions(one);
            locks(one, two);
            semaphores(one, two);
            leaders(one, two);
            barriers(one, two);
            caches(one, two);
            counters(one, two);
            members(one, two);
            reconnects(one, two);
        }
    }

    private static CuratorFramework start() throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.newClient(hosts, 10_000, 10_000, new RetryNTimes(50, 100));
        client.start();
        check(client.blockUntilConnected((int) WAIT_S, TimeUnit.SECONDS), "connected");
        return client;
    }

    private static void nodes(CuratorFramework client) throws Exception {
        client.create().creatingParentContainersIfNeeded().forPath("/crud/deep/node", bytes("one"));
        check(text(client.getData().forPath("/crud/deep/node")).equals("one"), "data");
        client.create().orSetData().forPath("/crud/deep/node", bytes("two"));
        client.setData().withVersion(1).forPath("/crud/deep/node", bytes("three"));
        String path = client.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/crud/p-");
        check(path.startsWith("/crud/_c_") && path.endsWith("0000000001"), "protected create: " + path);
        client.create().withTtl(60_000).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/crud/ttl");
        client.delete().guaranteed().deletingChildrenIfNeeded().forPath("/crud");
        check(client.checkExists().forPath("/crud") == null, "deleted");
        try (CuratorFramework space = client.usingNamespace("space")) {
            space.create().forPath("/inside", bytes("x"));
        } catch (UnsupportedOperationException facade) {
            // A facade is not closed by itself.
        }
        check(client.checkExists().forPath("/space/inside") != null, "namespace");
        works("nodes");
    }

    private static void transactions(CuratorFramework client) throws Exception {
        List<CuratorTransactionResult> results = client.transaction().forOperations(
            client.transactionOp().create().forPath("/txn", bytes("1")),
            client.transactionOp().setData().withVersion(0).forPath("/txn", bytes("2")),
            client.transactionOp().check().withVersion(1).forPath("/txn"));
        check(results.size() == 3 && results.get(1).getResultStat().getVersion() == 1, "results");
        try {
            client.transaction().forOperations(
                client.transactionOp().create().forPath("/txn/a"),
                client.transactionOp().check().withVersion(9).forPath("/txn"));
            check(false, "a transaction that has to fail");
        } catch (KeeperException.BadVersionException expected) {
            check(client.checkExists().forPath("/txn/a") == null, "nothing of it happens");
        }
        works("transactions");
    }

    private static void locks(CuratorFramework one, CuratorFramework two) throws Exception {
        InterProcessMutex first = new InterProcessMutex(one, "/mutex");
        InterProcessMutex second = new InterProcessMutex(two, "/mutex");
        List<String> order = Collections.synchronizedList(new ArrayList<>());
        check(first.acquire(WAIT_S, TimeUnit.SECONDS) && first.acquire(WAIT_S, TimeUnit.SECONDS), "reentrant");
        check(!second.acquire(100, TimeUnit.MILLISECONDS), "taken");
        Future<?> waiting = later(() -> {
            check(second.acquire(WAIT_S, TimeUnit.SECONDS), "second");
            order.add("second");
            second.release();
            return null;
        });
        until(() -> first.getParticipantNodes().size() == 2, "a queue");
        first.release();
        order.add("first");
        first.release();
        waiting.get(WAIT_S, TimeUnit.SECONDS);
        check(order.equals(List.of("first", "second")), "order " + order);
        InterProcessReadWriteLock oneRw = new InterProcessReadWriteLock(one, "/rw");
        InterProcessReadWriteLock twoRw = new InterProcessReadWriteLock(two, "/rw");
        check(oneRw.readLock().acquire(WAIT_S, TimeUnit.SECONDS), "reader");
        check(twoRw.readLock().acquire(WAIT_S, TimeUnit.SECONDS), "another reader");
        check(!later(() -> twoRw.writeLock().acquire(100, TimeUnit.MILLISECONDS)).get(), "no writer");
        oneRw.readLock().release();
        twoRw.readLock().release();
        check(twoRw.writeLock().acquire(WAIT_S, TimeUnit.SECONDS), "writer");
        twoRw.writeLock().release();
        works("locks");
    }

    private static void semaphores(CuratorFramework one, CuratorFramework two) throws Exception {
        InterProcessSemaphoreV2 first = new InterProcessSemaphoreV2(one, "/semaphore", 2);
        InterProcessSemaphoreV2 second = new InterProcessSemaphoreV2(two, "/semaphore", 2);
        Collection<Lease> both = first.acquire(2, WAIT_S, TimeUnit.SECONDS);
        check(both != null && both.size() == 2, "two leases");
        check(second.acquire(200, TimeUnit.MILLISECONDS) == null, "no third lease");
        Future<Lease> waiting = later(() -> second.acquire(WAIT_S, TimeUnit.SECONDS));
        first.returnAll(both);
        Lease lease = waiting.get(WAIT_S, TimeUnit.SECONDS);
        check(lease != null, "a lease");
        second.returnLease(lease);
        works("semaphores");
    }

    private static void leaders(CuratorFramework one, CuratorFramework two) throws Exception {
        LeaderLatch first = new LeaderLatch(one, "/leader", "first");
        LeaderLatch second = new LeaderLatch(two, "/leader", "second");
        first.start();
        check(first.await(WAIT_S, TimeUnit.SECONDS), "leads");
        second.start();
        until(() -> second.getParticipants().size() == 2, "two candidates");
        check(!second.hasLeadership() && second.getLeader().getId().equals("first"), "who leads");
        first.close();
        check(second.await(WAIT_S, TimeUnit.SECONDS), "the next leads");
        second.close();
        works("leader latch");
    }

    private static void barriers(CuratorFramework one, CuratorFramework two) throws Exception {
        DistributedBarrier barrier = new DistributedBarrier(one, "/barrier");
        barrier.setBarrier();
        Future<Boolean> waiting =
            later(() -> new DistributedBarrier(two, "/barrier").waitOnBarrier(WAIT_S, TimeUnit.SECONDS));
        check(!waiting.isDone(), "held");
        barrier.removeBarrier();
        check(waiting.get(WAIT_S, TimeUnit.SECONDS), "passed");
        Future<Boolean> other = later(() -> passes(two));
        check(passes(one) && other.get(WAIT_S, TimeUnit.SECONDS), "double barrier");
        works("barriers");
    }

    private static boolean passes(CuratorFramework client) throws Exception {
        DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(client, "/double", 2);
        return barrier.enter(WAIT_S, TimeUnit.SECONDS) && barrier.leave(WAIT_S, TimeUnit.SECONDS);
    }

    @SuppressWarnings("deprecation")
    private static void caches(CuratorFramework one, CuratorFramework two) throws Exception {
        Map<String, String> seen = new ConcurrentHashMap<>();
        one.create().creatingParentsIfNeeded().forPath("/cache/a/b", bytes("1"));
        CuratorCache cache = CuratorCache.build(two, "/cache");
        PathChildrenCache children = new PathChildrenCache(two, "/cache/a", true);
        cache.listenable().addListener((type, before, after) -> {
            if (after == null) {
                seen.remove(before.getPath());
            } else {
                seen.put(after.getPath(), text(after.getData()));
            }
        });
        cache.start();
        children.start(PathChildrenCache.StartMode.BUILD_INITIAL_CACHE);
        check(children.getCurrentData().size() == 1, "first children");
        until(() -> "1".equals(seen.get("/cache/a/b")), "first contents");
        one.setData().forPath("/cache/a/b", bytes("2"));
        one.create().forPath("/cache/a/c", bytes("3"));
        one.create().forPath("/cache/a/c/d", bytes("4"));
        one.delete().forPath("/cache/a/b");
        until(() -> "3".equals(seen.get("/cache/a/c")) && "4".equals(seen.get("/cache/a/c/d")), "new contents");
        until(() -> !seen.containsKey("/cache/a/b"), "the end of a node");
        until(() -> {
            List<ChildData> now = children.getCurrentData();
            return now.size() == 1 && now.get(0).getPath().equals("/cache/a/c");
        }, "children");
        two.watchers().add().withMode(AddWatchMode.PERSISTENT_RECURSIVE)
            .usingWatcher((org.apache.curator.framework.api.CuratorWatcher) event -> seen.put("event", event.getPath()))
            .forPath("/cache");
        one.setData().forPath("/cache/a/c/d", bytes("5"));
        until(() -> "/cache/a/c/d".equals(seen.get("event")), "the event of a persistent watch");
        children.close();
        cache.close();
        works("caches");
    }

    private static void counters(CuratorFramework one, CuratorFramework two) throws Exception {
        Future<?> other = later(() -> count(two));
        count(one);
        other.get(WAIT_S, TimeUnit.SECONDS);
        AtomicValue<Long> value = new DistributedAtomicLong(one, "/atomic", new RetryNTimes(100, 5)).get();
        check(value.succeeded() && value.postValue() == 40, "sum " + value.postValue());
        SharedCount first = new SharedCount(one, "/shared", 0);
        SharedCount second = new SharedCount(two, "/shared", 0);
        first.start();
        second.start();
        first.setCount(7);
        until(() -> second.getCount() == 7, "a shared count");
        first.close();
        second.close();
        works("counters");
    }

    private static Void count(CuratorFramework client) throws Exception {
        DistributedAtomicLong counter = new DistributedAtomicLong(client, "/atomic", new RetryNTimes(1_000, 2));
        for (int i = 0; i < 20; i++) {
            check(counter.increment().succeeded(), "increment");
        }
        return null;
    }

    private static void members(CuratorFramework one, CuratorFramework two) throws Exception {
        GroupMember first = new GroupMember(one, "/group", "first");
        GroupMember second = new GroupMember(two, "/group", "second", bytes("data"));
        first.start();
        second.start();
        until(() -> first.getCurrentMembers().size() == 2 && second.getCurrentMembers().size() == 2, "two members");
        until(() -> text(first.getCurrentMembers().get("second")).equals("data"), "their data");
        second.close();
        until(() -> first.getCurrentMembers().size() == 1, "one member");
        first.close();
        works("group members");
    }

    private static void reconnects(CuratorFramework one, CuratorFramework two) throws Exception {
        LeaderLatch latch = new LeaderLatch(one, "/reconnect-leader", "one");
        PersistentNode node = new PersistentNode(one, CreateMode.EPHEMERAL, false, "/reconnect", bytes("x"));
        latch.start();
        node.start();
        check(latch.await(WAIT_S, TimeUnit.SECONDS) && node.waitForInitialCreate(WAIT_S, TimeUnit.SECONDS), "set up");
        long session = sessionOf(one);
        List<ConnectionState> states = Collections.synchronizedList(new ArrayList<>());
        one.getConnectionStateListenable().addListener((client, state) -> states.add(state));
        ask("disconnect", session);
        until(() -> states.contains(ConnectionState.RECONNECTED), "a reconnect");
        until(() -> latch.hasLeadership() && two.checkExists().forPath("/reconnect") != null, "back again");
        check(sessionOf(one) == session, "the same session");
        states.clear();
        ask("expire", session);
        until(() -> states.contains(ConnectionState.LOST), "the loss of the session");
        until(() -> states.contains(ConnectionState.RECONNECTED), "a new session");
        check(sessionOf(one) != session, "another session");
        until(latch::hasLeadership, "leadership in the new session");
        until(() -> two.checkExists().forPath("/reconnect") != null, "the node in the new session");
        latch.close();
        node.close();
        works("reconnects");
    }

    private static void moves(CuratorFramework one, CuratorFramework two) throws Exception {
        InterProcessMutex mutex = new InterProcessMutex(one, "/moves");
        check(mutex.acquire(WAIT_S, TimeUnit.SECONDS), "a lock");
        long session = sessionOf(one);
        for (int i = 0; i < 3; i++) {
            ask("crash-server-of", session);
            one.setData().forPath("/moves", bytes("" + i));
            check(!new InterProcessMutex(two, "/moves").acquire(50, TimeUnit.MILLISECONDS), "still taken");
            ask("restart", 0);
        }
        check(sessionOf(one) == session && mutex.isOwnedByCurrentThread(), "the same session");
        mutex.release();
        works("moves");
    }

    private static long sessionOf(CuratorFramework client) throws Exception {
        return client.getZookeeperClient().getZooKeeper().getSessionId();
    }

    private static <T> Future<T> later(Callable<T> task) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return task.call();
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        });
    }

    private static void until(Callable<Boolean> isTrue, String what) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_S);
        while (!isTrue.call()) {
            check(System.nanoTime() < deadline, what);
            Thread.sleep(10);
        }
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
        return data == null ? "" : new String(data, StandardCharsets.UTF_8);
    }

    private static void ask(String request, long argument) {
        System.out.println("ask " + request + " " + argument);
        check(INPUT.nextLine().equals("done"), request);
    }

    private static void works(String what) {
        System.out.println("ok " + what);
    }
}
