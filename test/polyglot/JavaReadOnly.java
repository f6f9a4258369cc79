import java.nio.charset.StandardCharsets;
import java.util.Scanner;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** Reads with ZooKeeper's own client from the one server that is left of three, until there is a majority again. */
public final class JavaReadOnly {
    private static final long WAIT_S = 30;

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    private static void until(BlockingQueue<KeeperState> states, KeeperState wanted) throws Exception {
        for (KeeperState state = null; state != wanted;) {
            state = states.poll(WAIT_S, TimeUnit.SECONDS);
            check(state != null, "state " + wanted);
        }
    }

    public static void main(String[] args) throws Exception {
        BlockingQueue<KeeperState> states = new ArrayBlockingQueue<>(1_000);
        ZooKeeper zk = new ZooKeeper(args[0], 10_000, event -> {
            if (event.getType() == EventType.None) {
                states.add(event.getState());
            }
        }, true);
        until(states, KeeperState.ConnectedReadOnly);
        check(new String(zk.getData("/a", false, null), StandardCharsets.UTF_8).equals("before"), "data");
        BlockingQueue<EventType> events = new ArrayBlockingQueue<>(10);
        check(zk.exists("/late", event -> {
            if (event.getType() != EventType.None) {
                events.add(event.getType());
            }
        }) == null, "/late");
        System.out.println("ok reads");
        try {
            zk.create("/b", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            check(false, "a read-only server took it");
        } catch (KeeperException.NotReadOnlyException expected) {
            System.out.println("ok is refused its writes");
        }
        long session = zk.getSessionId();
        System.out.println("ask restart -");
        check(new Scanner(System.in).nextLine().equals("done"), "restart");
        until(states, KeeperState.SyncConnected);
        zk.create("/late", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        check(events.poll(WAIT_S, TimeUnit.SECONDS) == EventType.NodeCreated, "its watch has moved");
        check(zk.getSessionId() != session, "a session of the ensemble");
        check(zk.exists("/late", false).getEphemeralOwner() == zk.getSessionId(), "owner");
        System.out.println("ok goes on with a session of its own");
        zk.close();
    }
}
