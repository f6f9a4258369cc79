import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.atomic.PromotedToLock;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.locks.Revoker;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedValue;
import org.apache.curator.framework.recipes.shared.VersionedValue;
import org.apache.curator.retry.RetryNTimes;
import org.apache.curator.retry.RetryOneTime;

/**
 * Curator's recipes, moved by the lines of its input: `<number> <actor> <verb> <arguments>`, each answered by
 * `answer <number> <text>` or `failure <number> <text>`. An actor has a thread and objects of its own, since Curator's
 * locks belong to threads. The argument is where the servers are.
 */
public final class CuratorPartner {
    private static final long WAIT_S = 30;
    private static CuratorFramework client;

    public static void main(String[] args) throws Exception {
        Map<String, Actor> actors = new HashMap<>();
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (CuratorFramework framework =
            CuratorFrameworkFactory.newClient(args[0], 20_000, 20_000, new RetryNTimes(50, 100))) {
            client = framework;
            client.start();
            for (String line = input.readLine(); line != null; line = input.readLine()) {
                String[] words = line.split(" ");
                Actor actor = actors.computeIfAbsent(words[1], name -> new Actor());
                actor.thread.submit(() -> answer(actor, words));
            }
        }
        System.exit(0);
    }

    private static void answer(Actor actor, String[] words) {
        String reply;
        try {
            reply = "answer " + words[0] + " " + actor.obey(words);
        } catch (Throwable error) {
            reply = "failure " + words[0] + " " + error;
        }
        System.out.println(reply);
        System.out.flush();
    }

    /** One thread, and its own objects for each path. */
    private static final class Actor {
        final ExecutorService thread = Executors.newSingleThreadExecutor();
        private final Map<String, Object> objects = new HashMap<>();
        /** The paths of locks that this actor was asked to give up, once for each request. */
        private final List<String> asked = new CopyOnWriteArrayList<>();
        /** The latch that ends the leadership of each selector. */
        private final Map<String, CountDownLatch> retirements = new HashMap<>();
        private final Map<String, List<Lease>> leases = new HashMap<>();

        Object obey(String[] words) throws Exception {
            String path = words[3];
            String first = words.length > 4 ? words[4] : "";
            String second = words.length > 5 ? words[5] : "";
            String third = words.length > 6 ? words[6] : "";
            switch (words[2]) {
                case "lock.acquire": return side(path, first).acquire(Long.parseLong(second), TimeUnit.MILLISECONDS);
                case "lock.release": return released(side(path, first));
                case "mutex.acquire": return mutex(path).acquire(Long.parseLong(first), TimeUnit.MILLISECONDS);
                case "mutex.release": return released(mutex(path));
                case "mutex.revocable": mutex(path).makeRevocable(lock -> asked.add(path)); return "";
                case "mutex.asked": return asked.stream().filter(path::equals).count();
                case "mutex.revoke": return revoked(mutex(path).getParticipantNodes());
                case "semaphore.acquire": return acquired(path, first, Integer.parseInt(second), Long.parseLong(third));
                case "semaphore.release": return given(path);
                case "latch.start": return started(path, first);
                case "latch.await": return latch(path).await(WAIT_S, TimeUnit.SECONDS);
                case "latch.leads": return latch(path).hasLeadership();
                case "latch.leader": return latch(path).getLeader().getId();
                case "latch.participants": return participants(latch(path));
                case "latch.close": return closed(path);
                case "selector.start": return selecting(path, first);
                case "selector.leads": return selector(path).hasLeadership();
                case "selector.leader": return selector(path).getLeader().getId();
                case "selector.close": return retired(path);
                case "value.start": return startedValue(path, first);
                case "value.get": return text(value(path).getValue());
                case "value.set": value(path).setValue(bytes(first)); return "";
                case "value.append": return appended(value(path), first, Integer.parseInt(second));
                case "count.start": return startedCount(path, Integer.parseInt(first));
                case "count.get": return count(path).getCount();
                case "count.set": count(path).setCount(Integer.parseInt(first)); return "";
                case "count.add": return added(count(path), Integer.parseInt(first));
                case "long.get": return succeeded(free(path).get());
                case "long.set": return free(path).trySet(Long.parseLong(first)).succeeded();
                case "long.compareAndSet":
                    return free(path).compareAndSet(Long.parseLong(first), Long.parseLong(second)).succeeded();
                case "long.add": return summed(free(path), Integer.parseInt(first));
                case "long.addPromoted": return summed(promoted(path), Integer.parseInt(first));
                case "integer.get": return new DistributedAtomicInteger(client, path, often()).get().postValue();
                case "integer.set":
                    return new DistributedAtomicInteger(client, path, often()).trySet(Integer.parseInt(first)).succeeded();
                default: throw new IllegalArgumentException(words[2]);
            }
        }

        /** The object at a path, made when it is first asked for. */
        @SuppressWarnings("unchecked")
        private <T> T at(String path, Supplier<T> make) {
            return (T) objects.computeIfAbsent(path, key -> make.get());
        }

        private InterProcessMutex side(String path, String kind) {
            InterProcessReadWriteLock lock = at(path, () -> new InterProcessReadWriteLock(client, path));
            return kind.equals("read") ? lock.readLock() : lock.writeLock();
        }

        private InterProcessMutex mutex(String path) {
            return at(path, () -> new InterProcessMutex(client, path));
        }

        private static int revoked(Collection<String> participants) throws Exception {
            for (String participant : participants) {
                Revoker.attemptRevoke(client, participant);
            }
            return participants.size();
        }

        private static String released(InterProcessMutex lock) throws Exception {
            lock.release();
            return "";
        }

        /** The limit is a number, or `shared` for the one that is kept below the path. */
        private boolean acquired(String path, String limit, int permits, long waitMs) throws Exception {
            if (limit.equals("shared")) {
                startedCount(path + "/permits", 1);
            }
            InterProcessSemaphoreV2 semaphore = at(path, () -> limit.equals("shared")
                ? new InterProcessSemaphoreV2(client, path, count(path + "/permits"))
                : new InterProcessSemaphoreV2(client, path, Integer.parseInt(limit)));
            Collection<Lease> taken = semaphore.acquire(permits, waitMs, TimeUnit.MILLISECONDS);
            if (taken != null) {
                leases.computeIfAbsent(path, key -> new ArrayList<>()).addAll(taken);
            }
            return taken != null;
        }

        /** Gives back all permits that this actor has. */
        private String given(String path) {
            InterProcessSemaphoreV2 semaphore = (InterProcessSemaphoreV2) objects.get(path);
            semaphore.returnAll(leases.remove(path));
            return "";
        }

        /** Leads, once it can, until it is closed. */
        private String selecting(String path, String id) {
            CountDownLatch end = new CountDownLatch(1);
            retirements.put(path, end);
            LeaderSelector selector = new LeaderSelector(client, path, new LeaderSelectorListenerAdapter() {
                @Override
                public void takeLeadership(CuratorFramework framework) throws Exception {
                    end.await(WAIT_S, TimeUnit.SECONDS);
                }
            });
            selector.setId(id);
            objects.put(path, selector);
            selector.start();
            return "";
        }

        private String retired(String path) {
            retirements.get(path).countDown();
            selector(path).close();
            return "";
        }

        private LeaderSelector selector(String path) {
            return (LeaderSelector) objects.get(path);
        }

        private String started(String path, String id) throws Exception {
            LeaderLatch latch = new LeaderLatch(client, path, id);
            objects.put(path, latch);
            latch.start();
            return "";
        }

        private LeaderLatch latch(String path) {
            return (LeaderLatch) objects.get(path);
        }

        private static String participants(LeaderLatch latch) throws Exception {
            return latch.getParticipants().stream()
                .map(one -> one.getId() + (one.isLeader() ? "=leader" : ""))
                .collect(Collectors.joining(","));
        }

        private String closed(String path) throws Exception {
            latch(path).close();
            return "";
        }

        private String startedValue(String path, String seed) throws Exception {
            SharedValue value = new SharedValue(client, path, bytes(seed));
            objects.put(path, value);
            value.start();
            return "";
        }

        private SharedValue value(String path) {
            return (SharedValue) objects.get(path);
        }

        private static String appended(SharedValue value, String word, int times) throws Exception {
            for (int done = 0; done < times;) {
                VersionedValue<byte[]> seen = value.getVersionedValue();
                if (value.trySetValue(seen, bytes(text(seen.getValue()) + word))) {
                    done++;
                }
            }
            return "";
        }

        private String startedCount(String path, int seed) throws Exception {
            if (objects.containsKey(path)) {
                return "";
            }
            SharedCount count = new SharedCount(client, path, seed);
            objects.put(path, count);
            count.start();
            return "";
        }

        private SharedCount count(String path) {
            return (SharedCount) objects.get(path);
        }

        private static String added(SharedCount count, int times) throws Exception {
            for (int done = 0; done < times;) {
                VersionedValue<Integer> seen = count.getVersionedValue();
                if (count.trySetCount(seen, seen.getValue() + 1)) {
                    done++;
                }
            }
            return "";
        }
    }

    private static RetryNTimes often() {
        return new RetryNTimes(1_000, 2);
    }

    private static DistributedAtomicLong free(String path) {
        return new DistributedAtomicLong(client, path, often());
    }

    /** Goes to the lock after one try. */
    private static DistributedAtomicLong promoted(String path) {
        PromotedToLock lock = PromotedToLock.builder().lockPath(path + "-lock").timeout(WAIT_S, TimeUnit.SECONDS)
            .retryPolicy(often()).build();
        return new DistributedAtomicLong(client, path, new RetryOneTime(1), lock);
    }

    private static String summed(DistributedAtomicLong counter, int times) throws Exception {
        for (int done = 0; done < times; done++) {
            succeeded(counter.increment());
        }
        return "";
    }

    private static Long succeeded(AtomicValue<Long> value) {
        if (!value.succeeded()) {
            throw new IllegalStateException("the counter was not changed");
        }
        return value.postValue();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] data) {
        return new String(data, StandardCharsets.UTF_8);
    }
}
