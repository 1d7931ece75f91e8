// Writes what is measured: page views, or records of so many bytes.
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.Utils;

final class Input {
  static final int PARTITIONS = 8;
  private final String broker;
  private final String topic;

  Input(String broker, String topic) {
    this.broker = broker;
    this.topic = topic;
  }

  long views(int events, long base, boolean isDistinct) {
    return written(send -> {
      Consumer<Views.View> one = view -> send.accept(
          new ProducerRecord<>(
              topic, null, view.timestamp, bytes(view.pageName()), bytes(view.text())));
      if (isDistinct) Views.eachDistinct(events, base, one);
      else Views.each(events, base, one);
    });
  }

  /** One view into each partition, of a page that belongs there: every task has something to do. */
  long oneEach(long timestamp) {
    return written(send -> {
      Views.View view = new Views.View();
      view.timestamp = timestamp;
      for (int partition = 0; partition < PARTITIONS; partition++) {
        view.page = firstPageOf(partition);
        send.accept(new ProducerRecord<>(
            topic, partition, timestamp, bytes(view.pageName()), bytes(view.text())));
      }
    });
  }

  /** Values of random-looking bytes, so that nothing about them is easier than usual. */
  long raw(int records, int size) {
    byte[] value = new byte[size];
    return written(send -> {
      int state = 1;
      for (int index = 0; index < records; index++) {
        byte[] copy = value.clone();
        for (int at = 0; at < 8; at++) copy[at] = (byte) (state = state * 1_103_515_245 + 12_345);
        send.accept(new ProducerRecord<>(topic, index % PARTITIONS, null, null, copy));
      }
    });
  }

  static int firstPageOf(int partition) {
    Views.View view = new Views.View();
    while (partitionOf(view.pageName()) != partition) view.page++;
    return view.page;
  }

  private static int partitionOf(String key) {
    return Utils.toPositive(Utils.murmur2(bytes(key))) % PARTITIONS;
  }

  /** How many records were written. */
  private long written(Consumer<Consumer<ProducerRecord<byte[], byte[]>>> source) {
    AtomicReference<Exception> failure = new AtomicReference<>();
    long[] count = new long[1];
    try (KafkaProducer<byte[], byte[]> producer = producer()) {
      source.accept(record -> {
        count[0]++;
        producer.send(record, (delivery, error) -> {
          if (error != null) failure.compareAndSet(null, error);
        });
      });
      producer.flush();
    }
    if (failure.get() != null) throw new IllegalStateException(failure.get());
    return count[0];
  }

  private KafkaProducer<byte[], byte[]> producer() {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", broker);
    settings.put("acks", "all");
    settings.put("linger.ms", "5");
    settings.put("batch.size", "65536");
    settings.put("buffer.memory", "134217728");
    return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
