// The workloads on Kafka Streams, as a user of it would write them. All settings come by
// environment variables, the same for every peer: bench/kafka/candidates.ts sets them.
import static org.apache.kafka.streams.CloseOptions.GroupMembershipOperation.LEAVE_GROUP;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.state.WindowStore;

public final class Streams {
  public static final class PageView {
    public String id;
    public String user_id;
    public String page_id;
    public long timestamp;
  }

  public static final class Visit {
    public String page;
    public String user;
    public long ts;
  }

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final AtomicLong seen = new AtomicLong();
  private static final long last = Long.parseLong(env("N", "0"));

  public static void main(String[] arguments) {
    StreamsBuilder builder = new StreamsBuilder();
    switch (env("WORKLOAD", "w1")) {
      case "w1" -> count(builder);
      case "w2" -> visits(builder);
      case "echo" -> echo(builder);
      default -> throw new IllegalArgumentException("WORKLOAD is w1, w2 or echo");
    }
    KafkaStreams streams = new KafkaStreams(builder.build(), settings());
    streams.setGlobalStateRestoreListener(new Restored());
    streams.setUncaughtExceptionHandler(error -> {
      error.printStackTrace();
      return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    // Who stops leaves, or the next start of a measurement would wait for its session to end.
    CloseOptions leaving = CloseOptions.groupMembershipOperation(LEAVE_GROUP)
        .withTimeout(Duration.ofSeconds(20));
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(leaving)));
    Measured.endWithParent();
    streams.start();
  }

  private static Properties settings() {
    Properties settings = new Properties();
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, env("BROKER", "127.0.0.1:9092"));
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, env("GROUP", "streams"));
    settings.put(StreamsConfig.STATE_DIR_CONFIG, env("STATE_DIR", "state"));
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, env("COMMIT_MS", "1000"));
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, env("THREADS", "1"));
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "1");
    // Event times lie in the past: the changelog must not lose them while it is measured.
    settings.put("windowstore.changelog.additional.retention.ms", "31536000000");
    settings.put("auto.offset.reset", "earliest");
    if (env("EOS", "0").equals("1")) {
      settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    }
    if (!env("LINGER", "").isEmpty()) settings.put("producer.linger.ms", env("LINGER", ""));
    if (!env("CACHE", "").isEmpty()) {
      settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, env("CACHE", ""));
    }
    return settings;
  }

  private static void count(StreamsBuilder builder) {
    Serde<PageView> views = json(PageView.class);
    builder
        .stream(env("IN_TOPIC", "page_views"), Consumed.with(Serdes.String(), views))
        .peek((page, view) -> tick())
        .groupByKey(Grouped.with(Serdes.String(), views))
        .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofMillis(Views.WINDOW_MS)))
        .count(Materialized.<String, Long, WindowStore<Bytes, byte[]>>as("views")
            .withKeySerde(Serdes.String())
            .withValueSerde(Serdes.Long())
            .withRetention(Duration.ofHours(2)));
  }

  /** Every second view goes on, in another form. */
  private static void visits(StreamsBuilder builder) {
    builder
        .stream(env("IN_TOPIC", "page_views"), Consumed.with(Serdes.String(), json(PageView.class)))
        .peek((page, view) -> tick())
        .filter((page, view) -> (view.user_id.charAt(view.user_id.length() - 1) & 1) == 0)
        .mapValues(view -> {
          Visit visit = new Visit();
          visit.page = view.page_id;
          visit.user = view.user_id;
          visit.ts = view.timestamp;
          return visit;
        })
        .to(env("OUT_TOPIC", "visits"), Produced.with(Serdes.String(), json(Visit.class)));
  }

  /** What comes in goes out, as it is. */
  private static void echo(StreamsBuilder builder) {
    builder
        .stream(env("IN_TOPIC", "in"), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
        .peek((key, value) -> tick())
        .to(env("OUT_TOPIC", "out"), Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
  }

  private static void tick() {
    long count = seen.incrementAndGet();
    if (count == 1) Measured.say("first", count);
    if (count == last) Measured.say("last", count);
  }

  private static final class Restored implements StateRestoreListener {
    @Override
    public void onRestoreStart(TopicPartition at, String store, long start, long end) {
      Measured.say("restoreStart", end - start);
    }

    @Override
    public void onBatchRestored(TopicPartition at, String store, long end, long count) {}

    @Override
    public void onRestoreEnd(TopicPartition at, String store, long total) {
      Measured.say("restoreEnd", total);
    }
  }

  private static <T> Serde<T> json(Class<T> type) {
    ObjectReader reader = JSON.readerFor(type);
    ObjectWriter writer = JSON.writerFor(type);
    return Serdes.serdeFrom(
        (topic, value) -> {
          try {
            return value == null ? null : writer.writeValueAsBytes(value);
          } catch (IOException error) {
            throw new UncheckedIOException(error);
          }
        },
        (topic, bytes) -> {
          try {
            return bytes == null ? null : reader.readValue(bytes);
          } catch (IOException error) {
            throw new UncheckedIOException(error);
          }
        });
  }

  private static String env(String name, String fallback) {
    return Measured.env(name, fallback);
  }
}
