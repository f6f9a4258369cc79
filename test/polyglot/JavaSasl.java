import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/** ZooKeeper's own client, with a JAAS file whose user the servers know, or do not know. */
public final class JavaSasl {
  private static final int SESSION_TIMEOUT_MS = 10_000;
  private static final int WAIT_S = 30;

  public static void main(String[] args) throws Exception {
    BlockingQueue<KeeperState> states = new LinkedBlockingQueue<>();
    ZooKeeper zk = new ZooKeeper(args[0], SESSION_TIMEOUT_MS, event -> states.add(event.getState()));
    if (args[1].equals("refused")) refused(zk, states);
    else if (args[1].equals("required")) required(zk);
    else authenticated(zk, states, args[1]);
    zk.close(1_000);
  }

  private static void authenticated(ZooKeeper zk, BlockingQueue<KeeperState> states, String user) throws Exception {
    await(states, KeeperState.SaslAuthenticated);
    System.out.println("ok is authenticated");
    List<ACL> own = new ArrayList<>(List.of(new ACL(ZooDefs.Perms.ALL, new Id("sasl", user))));
    zk.create("/java-own", "data".getBytes(StandardCharsets.UTF_8), own, CreateMode.PERSISTENT);
    zk.getData("/java-own", false, new Stat());
    zk.create("/java-auth", new byte[0], ZooDefs.Ids.CREATOR_ALL_ACL, CreateMode.EPHEMERAL);
    List<ACL> creator = zk.getACL("/java-auth", new Stat());
    if (!creator.get(0).getId().equals(new Id("sasl", user))) throw new AssertionError("the creator is " + creator);
    System.out.println("ok owns what it creates");
    String who = zk.whoAmI().toString();
    if (!who.contains("'sasl,'" + user)) throw new AssertionError("it is " + who);
    System.out.println("ok is who it says");
  }

  private static void refused(ZooKeeper zk, BlockingQueue<KeeperState> states) throws Exception {
    await(states, KeeperState.AuthFailed);
    System.out.println("ok is told that it failed");
    try {
      zk.exists("/", false);
      throw new AssertionError("it is served");
    } catch (KeeperException.AuthFailedException | KeeperException.SessionClosedRequireAuthException error) {
      System.out.println("ok is not served");
    }
  }

  private static void required(ZooKeeper zk) throws Exception {
    try {
      zk.exists("/", false);
      throw new AssertionError("it is served");
    } catch (KeeperException.SessionClosedRequireAuthException error) {
      System.out.println("ok is told that it has to prove who it is");
    }
  }

  private static void await(BlockingQueue<KeeperState> states, KeeperState wanted) throws InterruptedException {
    KeeperState state;
    do {
      state = states.poll(WAIT_S, TimeUnit.SECONDS);
      if (state == null) throw new AssertionError("no event of the state " + wanted);
    } while (state != wanted);
  }

  private JavaSasl() {}
}
