import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedValue;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;

/**
 * Curator's recipes, each a cycle that is repeated and timed here; moved by the lines of the input:
 * `<number> <actor> <verb> <arguments>`, each answered by `answer <number> <text>` or `failure <number> <text>`.
 * `open <recipe> <lanes> <path>` makes a session and the recipe's objects for each lane, `round <ms>` does the cycle in
 * all lanes for that long, and answers with how long it took and how long each time, in milliseconds. The argument is
 * where the servers are.
 */
public final class CuratorCycles {
    private static final int SESSION_TIMEOUT_MS = 60_000;
    private static final long WAIT_S = 30;
    private static final int PERMITS = 2;
    private static final byte[] VALUE = "x".repeat(100).getBytes(StandardCharsets.UTF_8);

    private final String hosts;
    private final List<CuratorFramework> clients = new ArrayList<>();
    private final List<Cycle> cycles = new ArrayList<>();

    private CuratorCycles(String hosts) {
        this.hosts = hosts;
    }

    /** Done again and again. */
    private interface Cycle {
        void run() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        CuratorCycles bench = new CuratorCycles(args[0]);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            String reply;
            try {
                reply = "answer " + words[0] + " " + bench.obey(words);
            } catch (Throwable error) {
                reply = "failure " + words[0] + " " + error;
            }
            System.out.println(reply);
            System.out.flush();
        }
        System.exit(0);
    }

    private String obey(String[] words) throws Exception {
        switch (words[2]) {
            case "open": return open(words[3], Integer.parseInt(words[4]), words[5]);
            case "round": return round(Long.parseLong(words[3]));
            case "close": return close();
            default: throw new IllegalArgumentException(words[2]);
        }
    }

    private String open(String recipe, int lanes, String path) throws Exception {
        for (int lane = 0; lane < lanes; lane++) {
            CuratorFramework client = CuratorFrameworkFactory.newClient(
                hosts, SESSION_TIMEOUT_MS, SESSION_TIMEOUT_MS, new RetryNTimes(1_000, 2));
            client.start();
            client.blockUntilConnected();
            clients.add(client);
            Cycle cycle = cycle(recipe, client, path);
            if (cycle == null) {
                close();
                return "none";
            }
            cycles.add(cycle);
        }
        return "";
    }

    private String close() {
        clients.forEach(CuratorFramework::close);
        clients.clear();
        cycles.clear();
        return "";
    }

    private String round(long durationMs) throws Exception {
        Queue<Double> latencies = new ConcurrentLinkedQueue<>();
        AtomicReference<Throwable> failure = new AtomicReference<>();
        long start = System.nanoTime();
        long end = start + TimeUnit.MILLISECONDS.toNanos(durationMs);
        List<Thread> threads = new ArrayList<>();
        for (Cycle cycle : cycles) {
            Thread thread = new Thread(() -> {
                try {
                    long before = System.nanoTime();
                    do {
                        cycle.run();
                        long after = System.nanoTime();
                        latencies.add((after - before) / 1e6);
                        before = after;
                    } while (before < end);
                } catch (Throwable error) {
                    failure.set(error);
                }
            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        if (failure.get() != null) {
            throw new IllegalStateException(failure.get());
        }
        StringBuilder text = new StringBuilder(String.format(Locale.ROOT, "%.4f", (System.nanoTime() - start) / 1e6));
        latencies.forEach(one -> text.append(String.format(Locale.ROOT, " %.4f", one)));
        return text.toString();
    }

    /** Null for what Curator does not have. */
    private static Cycle cycle(String recipe, CuratorFramework client, String path) throws Exception {
        switch (recipe) {
            case "lock": return of(new InterProcessMutex(client, path), 1);
            case "reentrant": return of(new InterProcessMutex(client, path), 2);
            case "read": return of(new InterProcessReadWriteLock(client, path).readLock(), 1);
            case "write": return of(new InterProcessReadWriteLock(client, path).writeLock(), 1);
            case "multi": return of(new InterProcessMultiLock(client, Arrays.asList(path + "/a", path + "/b")), 1);
            case "semaphore": return semaphore(new InterProcessSemaphoreV2(client, path, PERMITS));
            case "leader": return () -> lead(client, path);
            case "node": return () -> keep(client, path + "/kept");
            case "barrier": return gate(new DistributedBarrier(client, path + "/barrier"));
            case "double": return () -> meet(client, path);
            case "value": return value(client, path);
            case "count": return count(client, path);
            case "counter": return counter(client, path);
            case "queue": return queue(new SimpleDistributedQueue(client, path));
            case "node-cache": return nodeCache(client, path);
            case "children-cache": return childrenCache(client, path);
            case "tree-cache": return treeCache(client, path);
            default: return null;
        }
    }

    private static Cycle of(InterProcessLock lock, int times) {
        return () -> {
            for (int i = 0; i < times; i++) {
                lock.acquire();
            }
            for (int i = 0; i < times; i++) {
                lock.release();
            }
        };
    }

    private static Cycle semaphore(InterProcessSemaphoreV2 semaphore) {
        return () -> semaphore.returnLease(semaphore.acquire());
    }

    private static void lead(CuratorFramework client, String path) throws Exception {
        LeaderLatch latch = new LeaderLatch(client, path);
        latch.start();
        latch.await();
        latch.close();
    }

    private static void keep(CuratorFramework client, String path) throws Exception {
        PersistentNode node = new PersistentNode(client, CreateMode.EPHEMERAL, false, path, VALUE);
        node.start();
        check(node.waitForInitialCreate(WAIT_S, TimeUnit.SECONDS), "the node");
        node.close();
    }

    private static Cycle gate(DistributedBarrier barrier) {
        return () -> {
            barrier.setBarrier();
            barrier.removeBarrier();
        };
    }

    private static void meet(CuratorFramework client, String path) throws Exception {
        DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(client, path, 1);
        barrier.enter();
        barrier.leave();
    }

    private static Cycle value(CuratorFramework client, String path) throws Exception {
        SharedValue value = new SharedValue(client, path, "seed".getBytes(StandardCharsets.UTF_8));
        value.start();
        return () -> value.setValue(VALUE);
    }

    private static Cycle count(CuratorFramework client, String path) throws Exception {
        SharedCount count = new SharedCount(client, path, 0);
        count.start();
        return () -> count.setCount(1);
    }

    private static Cycle counter(CuratorFramework client, String path) {
        DistributedAtomicLong counter = new DistributedAtomicLong(client, path, new RetryNTimes(1_000, 2));
        return () -> check(counter.increment().succeeded(), "increment");
    }

    private static Cycle queue(SimpleDistributedQueue queue) {
        return () -> {
            queue.offer(VALUE);
            queue.take();
        };
    }

    @SuppressWarnings("deprecation")
    private static Cycle nodeCache(CuratorFramework client, String path) throws Exception {
        client.create().creatingParentsIfNeeded().forPath(path);
        NodeCache cache = new NodeCache(client, path);
        cache.start(true);
        Semaphore seen = new Semaphore(0);
        cache.getListenable().addListener(seen::release);
        return () -> after(seen, () -> client.setData().forPath(path, VALUE));
    }

    @SuppressWarnings("deprecation")
    private static Cycle childrenCache(CuratorFramework client, String path) throws Exception {
        client.create().creatingParentsIfNeeded().forPath(path);
        PathChildrenCache cache = new PathChildrenCache(client, path, true);
        cache.start(PathChildrenCache.StartMode.BUILD_INITIAL_CACHE);
        Semaphore seen = new Semaphore(0);
        cache.getListenable().addListener((framework, event) -> seen.release());
        return madeAndRemoved(client, path + "/child", seen);
    }

    private static Cycle treeCache(CuratorFramework client, String path) throws Exception {
        client.create().creatingParentsIfNeeded().forPath(path + "/deep");
        CuratorCache cache = CuratorCache.build(client, path);
        Semaphore initialized = new Semaphore(0);
        Semaphore seen = new Semaphore(0);
        cache.listenable().addListener(
            CuratorCacheListener.builder().forInitialized(initialized::release).build());
        cache.listenable().addListener(
            CuratorCacheListener.builder().forAll((type, before, after) -> seen.release()).afterInitialized().build());
        cache.start();
        check(initialized.tryAcquire(WAIT_S, TimeUnit.SECONDS), "the cache");
        return madeAndRemoved(client, path + "/deep/node", seen);
    }

    private static Cycle madeAndRemoved(CuratorFramework client, String path, Semaphore seen) {
        return () -> {
            after(seen, () -> client.create().forPath(path, VALUE));
            after(seen, () -> client.delete().forPath(path));
        };
    }

    private static void after(Semaphore seen, Cycle change) throws Exception {
        seen.drainPermits();
        change.run();
        check(seen.tryAcquire(WAIT_S, TimeUnit.SECONDS), "a change was not seen");
    }

    private static void check(boolean isTrue, String what) {
        if (!isTrue) {
            throw new AssertionError(what);
        }
    }
}
