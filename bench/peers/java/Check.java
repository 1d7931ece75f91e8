// Compares what a worker wrote with the fold of its input, read committed, by Kafka's own client.
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

final class Check {
  private final String broker;

  Check(String broker) {
    this.broker = broker;
  }

  /** Every output once, whatever its order: the sum of the hashes must be the same. */
  Map<String, Object> visits(String topic, int events, long base) {
    long[] left = new long[2];
    Views.each(events, base, view -> {
      if ((view.user & 1) != 0) return;
      String value = "{\"page\":\"" + view.pageName() + "\",\"user\":\"" + view.userName()
          + "\",\"ts\":" + view.timestamp + "}";
      left[0]++;
      left[1] += hashOf(value.getBytes(StandardCharsets.UTF_8));
    });
    long records = each(topic, record -> {
      left[0]--;
      left[1] -= hashOf(record.value());
    });
    List<String> problems = new ArrayList<>();
    if (left[0] != 0) problems.add("the output lacks " + left[0] + " records");
    else if (left[1] != 0) problems.add("the output has the right number of records, wrong ones");
    return Map.of("records", records, "problems", problems);
  }

  /**
   * The changelog of a windowed count of Kafka Streams: key, window start and sequence number, and
   * eight bytes of count. `extra` is how often one view more came into each partition.
   */
  Map<String, Object> counts(String topic, int events, long base, boolean isDistinct, int extra) {
    Map<String, Long> expected = new HashMap<>();
    Consumer<Views.View> count = view -> expected.merge(rowOf(
        view.pageName(), view.timestamp / Views.WINDOW_MS * Views.WINDOW_MS), 1L, Long::sum);
    if (isDistinct) Views.eachDistinct(events, base, count);
    else Views.each(events, base, count);
    Views.View one = new Views.View();
    one.timestamp = base;
    for (int p = 0; p < Input.PARTITIONS && extra > 0; p++) {
      one.page = Input.firstPageOf(p);
      for (int time = 0; time < extra; time++) count.accept(one);
    }
    Map<String, Long> found = new HashMap<>();
    long records = each(topic, record -> {
      ByteBuffer key = ByteBuffer.wrap(record.key());
      int length = key.remaining() - 12;
      String page = new String(record.key(), 0, length, StandardCharsets.UTF_8);
      found.put(rowOf(page, key.getLong(length)), ByteBuffer.wrap(record.value()).getLong());
    });
    List<String> problems = new ArrayList<>();
    expected.forEach((row, views) -> {
      Long was = found.remove(row);
      if (!views.equals(was) && problems.size() < 5) {
        problems.add(row + ": the changelog holds " + was + ", the input " + views);
      }
    });
    if (!found.isEmpty()) problems.add("the changelog has " + found.size() + " rows too many");
    return Map.of("records", records, "problems", problems);
  }

  private static String rowOf(String page, long start) {
    return page + "@" + start;
  }

  private static int hashOf(byte[] bytes) {
    int hash = 0x811c9dc5;
    for (byte one : bytes) hash = (hash ^ (one & 0xff)) * 0x01000193;
    return hash;
  }

  /** Every committed record that the topic has now; answers how many there were. */
  private long each(String topic, Consumer<ConsumerRecord<byte[], byte[]>> visit) {
    Map<String, Object> settings =
        Map.of("bootstrap.servers", broker, "isolation.level", "read_committed");
    List<TopicPartition> all = IntStream.range(0, Input.PARTITIONS)
        .mapToObj(partition -> new TopicPartition(topic, partition)).toList();
    long count = 0;
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
        settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.assign(all);
      consumer.seekToBeginning(all);
      Map<TopicPartition, Long> ends = consumer.endOffsets(all);
      while (ends.entrySet().stream()
          .anyMatch(one -> consumer.position(one.getKey()) < one.getValue())) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
          visit.accept(record);
          count++;
        }
      }
    }
    return count;
  }
}
