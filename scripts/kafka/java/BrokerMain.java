// One Kafka node in this JVM: formats its directory when it is new, says when it is ready, and ends
// when its standard input does, which is when whoever started it is gone.
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Properties;
import java.util.stream.Stream;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import kafka.tools.StorageTool;
import org.apache.kafka.common.utils.Time;

public final class BrokerMain {
  /** server.properties, the folder to delete when the input ends or "-", then format's options. */
  public static void main(String[] args) throws Exception {
    Path file = Path.of(args[0]);
    Path home = args[1].equals("-") ? null : Path.of(args[1]);
    endWithInput(home);
    Properties properties = new Properties();
    try (InputStream in = Files.newInputStream(file)) {
      properties.load(in);
    }
    if (!Files.exists(Path.of(properties.getProperty("log.dirs"), "meta.properties"))) {
      format(file, Arrays.asList(args).subList(2, args.length));
    }
    KafkaRaftServer server =
        new KafkaRaftServer(KafkaConfig.fromProps(properties, false), Time.SYSTEM);
    Runtime.getRuntime().addShutdownHook(new Thread(server::shutdown));
    try {
      server.startup();
    } catch (Throwable failure) {
      System.out.println("failed: " + rootOf(failure));
      Runtime.getRuntime().halt(1);
    }
    System.out.println("ready");
    server.awaitShutdown();
  }

  private static void format(Path file, List<String> options) {
    String[] all =
        Stream.concat(Stream.of("format", "--config", file.toString()), options.stream())
            .toArray(String[]::new);
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    int code;
    try {
      code = StorageTool.execute(all, new PrintStream(said, true));
    } catch (RuntimeException failure) {
      said.writeBytes(failure.toString().getBytes());
      code = 1;
    }
    if (code == 0) return;
    System.out.println("failed: format: " + said.toString().replace('\n', ' '));
    Runtime.getRuntime().halt(1);
  }

  /** Nothing is ever written to the input: its end is the end of the starter, also by kill -9. */
  private static void endWithInput(Path home) {
    Thread watch =
        new Thread(
            () -> {
              try {
                while (System.in.read() >= 0) {}
              } catch (IOException closed) {
                // As good as an end.
              }
              if (home != null) delete(home);
              Runtime.getRuntime().halt(0);
            },
            "input-watch");
    watch.setDaemon(true);
    watch.start();
  }

  /** Twice at most: the broker may still write while its folder goes. */
  private static void delete(Path home) {
    for (int round = 0; round < 2; round++) {
      try (Stream<Path> all = Files.walk(home)) {
        all.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
      } catch (IOException | RuntimeException gone) {
        // What is left lies in the machine's folder for temporary files.
      }
    }
  }

  private static Throwable rootOf(Throwable failure) {
    Throwable root = failure;
    while (root.getCause() != null) root = root.getCause();
    return root;
  }
}
