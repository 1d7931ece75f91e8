// Does what the lines of its input say with Kafka's own transactional producers. Forms of a line:
// "p1 begin", "p1 send TOPIC PARTITION COUNT NAME BYTES", "p1 commit", "p1 abort".
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

public final class Transactions {
  private static final Map<String, KafkaProducer<String, String>> producers = new HashMap<>();

  public static void main(String[] args) throws Exception {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] words = line.split(" ");
      step(producers.computeIfAbsent(words[0], name -> open(args[0], args[1], name)), words);
    }
    // No close: it would end what is to stay open.
    Runtime.getRuntime().halt(0);
  }

  private static void step(KafkaProducer<String, String> producer, String[] words) {
    switch (words[1]) {
      case "begin" -> producer.beginTransaction();
      case "commit" -> producer.commitTransaction();
      case "abort" -> producer.abortTransaction();
      case "send" -> {
        int bytes = Integer.parseInt(words[6]);
        for (int i = 0; i < Integer.parseInt(words[4]); i++) {
          String value = words[5] + "-" + i;
          String padded = value + ".".repeat(Math.max(0, bytes - value.length()));
          int partition = Integer.parseInt(words[3]);
          producer.send(new ProducerRecord<>(words[2], partition, "k" + i, padded));
        }
        producer.flush();
      }
      default -> throw new IllegalArgumentException(String.join(" ", words));
    }
  }

  private static KafkaProducer<String, String> open(String servers, String compression, String name) {
    KafkaProducer<String, String> producer =
        new KafkaProducer<>(
            Map.of(
                "bootstrap.servers", servers,
                "compression.type", compression,
                "transactional.id", name + "-" + UUID.randomUUID()),
            new StringSerializer(),
            new StringSerializer());
    producer.initTransactions();
    return producer;
  }
}
