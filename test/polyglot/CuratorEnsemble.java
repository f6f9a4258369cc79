import java.nio.charset.StandardCharsets;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryNTimes;

/**
 * Changes the servers of an ensemble with Curator, whose EnsembleTracker follows: the address of one server, a server to
 * be added as an observer, and where clients reach that.
 */
public final class CuratorEnsemble {
    private static final long WAIT_MS = 30_000;
    private static final long PAUSE_MS = 20;

    public static void main(String[] args) throws Exception {
        try (CuratorFramework client = CuratorFrameworkFactory.builder()
            .connectString(args[0])
            .sessionTimeoutMs(10_000)
            .connectionTimeoutMs(10_000)
            .retryPolicy(new RetryNTimes(50, 100))
            .authorization("digest", "super:test".getBytes(StandardCharsets.UTF_8))
            .ensembleTracker(true)
            .build()) {
            client.start();
            String before = new String(client.getConfig().forEnsemble(), StandardCharsets.UTF_8);
            until(client, args[2], false);
            check(client.getZookeeperClient().getCurrentConnectionString().split(",").length == 3, "three servers");
            System.out.println("ok knows all from one");
            String after = new String(client.reconfig().joining(args[1]).forEnsemble(), StandardCharsets.UTF_8);
            check(after.contains("server.4=") && !before.contains("server.4="), after);
            until(client, args[2], true);
            System.out.println("ok follows a server that is added");
            client.reconfig().leaving("4").forEnsemble();
            until(client, args[2], false);
            System.out.println("ok follows a server that is removed");
        }
        System.exit(0);
    }

    /** Waits until the tracker has the ensemble with or without a server. */
    private static void until(CuratorFramework client, String address, boolean isThere) throws Exception {
        long deadline = System.currentTimeMillis() + WAIT_MS;
        for (;;) {
            String known = client.getZookeeperClient().getCurrentConnectionString();
            if (known.split(",").length >= 3 && known.contains(address) == isThere) {
                return;
            }
            check(System.currentTimeMillis() < deadline, known);
            Thread.sleep(PAUSE_MS);
        }
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
