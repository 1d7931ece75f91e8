// What every measured Java process has in common: settings by environment, events on stdout.
import java.io.IOException;

final class Measured {
  private Measured() {}

  static String env(String name, String fallback) {
    String value = System.getenv(name);
    return value == null || value.isEmpty() ? fallback : value;
  }

  /** One line, for the process that measures. */
  static synchronized void say(String event, long count) {
    long now = System.currentTimeMillis();
    System.out.println("{\"ev\":\"" + event + "\",\"t\":" + now + ",\"n\":" + count + "}");
    System.out.flush();
  }

  /** Nobody else would end this process when the one that measures is killed. */
  static void endWithParent() {
    Thread thread = new Thread(() -> {
      try {
        while (System.in.read() != -1) continue;
      } catch (IOException error) {
        // Closed: the same as its end.
      }
      Runtime.getRuntime().halt(1);
    });
    thread.setDaemon(true);
    thread.start();
  }
}
