// Latency seen from outside: sends at a steady rate, reads what comes out, says how long it took.
// A record's clock starts when it is due, so that a sender that is late counts as latency.
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class Probe {
  private static final String broker = Measured.env("BROKER", "127.0.0.1:9092");
  private static final String in = Measured.env("IN_TOPIC", "in");
  private static final String out = Measured.env("OUT_TOPIC", "out");
  private static final int rate = Integer.parseInt(Measured.env("RATE", "1000"));
  private static final int warmMs = Integer.parseInt(Measured.env("WARM_MS", "20000"));
  private static final int measureMs = Integer.parseInt(Measured.env("MEASURE_MS", "20000"));
  private static final String isolation = Measured.env("ISOLATION", "read_committed");
  private static final int partitions = 8;
  private static final byte[][] keys = new byte[partitions][];
  private static final String padding = "x".repeat(60);

  /** By number of the record: when it came out, in ns; 0 while it has not. */
  private static long[] came;
  private static volatile long arrived = 0;
  private static volatile long twice = 0;
  private static volatile boolean isOver = false;

  public static void main(String[] arguments) throws Exception {
    Measured.endWithParent();
    for (int p = 0; p < partitions; p++) keys[p] = ("k" + p).getBytes(StandardCharsets.US_ASCII);
    KafkaConsumer<byte[], byte[]> consumer = consumer();
    Thread reader = new Thread(() -> read(consumer));
    // Records before the worker's first answer are not counted; they only wake it.
    KafkaProducer<byte[], byte[]> producer = producer();
    came = new long[1_000_000];
    reader.start();
    long deadline = System.nanoTime() + 60_000_000_000L;
    int woken = 0;
    while (arrived == 0 && System.nanoTime() < deadline) {
      producer.send(record(woken++));
      Thread.sleep(100);
    }
    if (arrived == 0) throw new IllegalStateException("nothing came out for a minute");
    measure(producer, woken);
    isOver = true;
    reader.join();
    producer.close();
    consumer.close();
    System.exit(0);
  }

  private static void measure(KafkaProducer<byte[], byte[]> producer, int woken) throws Exception {
    int warm = (int) ((long) rate * warmMs / 1000);
    int count = (int) ((long) rate * measureMs / 1000);
    int from = woken + warm;
    int to = from + count;
    if (to > came.length) throw new IllegalStateException("too many records for one run");
    long start = System.nanoTime() + 1_000_000;
    for (int number = woken; number < to; number++) {
      long due = start + (number - woken) * 1_000_000_000L / rate;
      while (due - System.nanoTime() > 0) LockSupport.parkNanos(due - System.nanoTime());
      if (number == from) Measured.say("measuring", number);
      producer.send(record(number));
    }
    producer.flush();
    Measured.say("measured", to);
    long deadline = System.nanoTime() + 20_000_000_000L;
    while (arrived < to && System.nanoTime() < deadline) Thread.sleep(20);
    report(from, count, start + (from - woken) * 1_000_000_000L / rate);
  }

  private static void report(int from, int count, long firstDue) {
    double[] ms = new double[count];
    int missing = 0;
    for (int i = 0; i < count; i++) {
      long due = firstDue + i * 1_000_000_000L / rate;
      if (came[from + i] == 0) missing++;
      ms[i] = (came[from + i] - due) / 1e6;
    }
    Arrays.sort(ms);
    System.out.println("{\"ev\":\"latency\",\"t\":" + System.currentTimeMillis() + ",\"n\":" + count
        + ",\"missing\":" + missing + ",\"twice\":" + twice + ",\"p50Ms\":" + at(ms, 0.5)
        + ",\"p90Ms\":" + at(ms, 0.9) + ",\"p99Ms\":" + at(ms, 0.99) + ",\"maxMs\":" + at(ms, 1)
        + "}");
    System.out.flush();
  }

  private static double at(double[] sorted, double share) {
    return sorted[(int) Math.ceil(sorted.length * share) - 1];
  }

  private static void read(KafkaConsumer<byte[], byte[]> consumer) {
    while (!isOver) {
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(50))) {
        long now = System.nanoTime();
        int number = numberOf(record.value());
        if (came[number] != 0) twice++;
        else arrived++;
        came[number] = now;
      }
    }
  }

  private static ProducerRecord<byte[], byte[]> record(int number) {
    int partition = number % partitions;
    String text = "{\"n\":" + number + ",\"pad\":\"" + padding + "\"}";
    byte[] value = text.getBytes(StandardCharsets.US_ASCII);
    return new ProducerRecord<>(in, partition, keys[partition], value);
  }

  private static int numberOf(byte[] value) {
    int number = 0;
    for (int i = 5; value[i] >= '0' && value[i] <= '9'; i++) number = number * 10 + value[i] - '0';
    return number;
  }

  private static KafkaConsumer<byte[], byte[]> consumer() {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", broker);
    settings.put("isolation.level", isolation);
    KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    List<TopicPartition> all = consumer.partitionsFor(out).stream()
        .map(one -> new TopicPartition(out, one.partition())).toList();
    consumer.assign(all);
    consumer.seekToEnd(all);
    for (TopicPartition one : all) consumer.position(one);
    return consumer;
  }

  private static KafkaProducer<byte[], byte[]> producer() {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", broker);
    settings.put("linger.ms", "0");
    settings.put("acks", "1");
    settings.put("enable.idempotence", "false");
    return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
  }
}
