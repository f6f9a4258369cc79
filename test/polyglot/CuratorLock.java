import java.util.Scanner;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.ExponentialBackoffRetry;

/** Takes Curator's InterProcessMutex some times over: arguments are servers, path, and how often. */
public class CuratorLock {
  private static final Scanner INPUT = new Scanner(System.in);

  public static void main(String[] args) throws Exception {
    int rounds = Integer.parseInt(args[2]);
    try (CuratorFramework client =
        CuratorFrameworkFactory.newClient(args[0], 20_000, 20_000, new ExponentialBackoffRetry(100, 5))) {
      client.start();
      ask("ready");
      InterProcessMutex lock = new InterProcessMutex(client, args[1]);
      for (int round = 0; round < rounds; round++) {
        lock.acquire();
        ask("enter");
        ask("leave");
        lock.release();
      }
    }
    System.out.println("ok " + rounds + " rounds");
  }

  /** The test does it, and answers with a line. */
  private static void ask(String what) {
    System.out.println("ask " + what + " curator");
    System.out.flush();
    INPUT.nextLine();
  }
}
