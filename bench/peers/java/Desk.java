// What the measuring process asks of the broker, by Kafka's own clients: topics, input, how far a
// group is, and whether what came out is right. One JSON question a line on stdin, one answer a
// line on stdout. It stays up for all runs, so that no start of a JVM falls into a measurement.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

public final class Desk {
  private static final ObjectMapper JSON = new ObjectMapper();
  private final String broker = Measured.env("BROKER", "127.0.0.1:9092");
  private final Admin admin = Admin.create(Map.of("bootstrap.servers", broker));

  public static void main(String[] arguments) throws Exception {
    Desk desk = new Desk();
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      JsonNode question = JSON.readTree(line);
      Map<String, Object> answer = new LinkedHashMap<>();
      answer.put("id", question.get("id").asInt());
      try {
        answer.put("result", desk.answer(question));
      } catch (Exception error) {
        Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
        answer.put("error", cause.toString());
      }
      System.out.println(JSON.writeValueAsString(answer));
      System.out.flush();
    }
    System.exit(0);
  }

  private Object answer(JsonNode question) throws Exception {
    String topic = question.path("topic").asText();
    int events = question.path("events").asInt();
    long base = question.path("base").asLong();
    boolean isDistinct = question.path("isDistinct").asBoolean();
    return switch (question.get("do").asText()) {
      case "create" -> create(texts(question.get("topics")));
      case "delete" -> delete(question.get("prefix").asText(), texts(question.get("groups")));
      case "topics" -> topics(question.get("prefix").asText());
      case "members" -> members(question.get("group").asText());
      case "committed" -> committed(question.get("group").asText(), topic);
      case "ends" -> ends(topic);
      case "views" -> new Input(broker, topic).views(events, base, isDistinct);
      case "one-each" -> new Input(broker, topic).oneEach(base);
      case "raw" -> new Input(broker, topic).raw(events, question.get("bytes").asInt());
      case "check-visits" -> new Check(broker).visits(topic, events, base);
      case "check-counts" -> new Check(broker)
          .counts(topic, events, base, isDistinct, question.path("extra").asInt());
      default -> throw new IllegalArgumentException("what is " + question);
    };
  }

  private Object create(List<String> names) throws Exception {
    Map<String, String> settings = Map.of("retention.ms", "-1");
    admin.createTopics(names.stream()
        .map(name -> new NewTopic(name, Input.PARTITIONS, (short) 1).configs(settings))
        .toList()).all().get();
    return true;
  }

  /** Topics whose names begin so, and groups; what is not there is nothing to delete. */
  private Object delete(String prefix, List<String> groups) throws Exception {
    for (KafkaFuture<Void> one :
        admin.deleteTopics(topics(prefix)).topicNameValues().values()) {
      gone(one, UnknownTopicOrPartitionException.class);
    }
    for (String group : groups) {
      gone(admin.deleteConsumerGroups(List.of(group)).all(), GroupIdNotFoundException.class);
    }
    return true;
  }

  private static void gone(KafkaFuture<Void> deletion, Class<? extends Exception> wasGone)
      throws Exception {
    try {
      deletion.get();
    } catch (ExecutionException error) {
      if (!wasGone.isInstance(error.getCause())) throw error;
    }
  }

  private List<String> topics(String prefix) throws Exception {
    return admin.listTopics().names().get().stream()
        .filter(name -> name.startsWith(prefix)).sorted().toList();
  }

  private int members(String group) throws Exception {
    try {
      return admin.describeConsumerGroups(List.of(group)).all().get().get(group).members().size();
    } catch (ExecutionException error) {
      if (error.getCause() instanceof GroupIdNotFoundException) return 0;
      throw error;
    }
  }

  /** Records below the offsets that the group has committed. */
  private long committed(String group, String topic) throws Exception {
    try {
      Map<TopicPartition, OffsetAndMetadata> offsets =
          admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
      long sum = 0;
      for (Map.Entry<TopicPartition, OffsetAndMetadata> one : offsets.entrySet()) {
        if (one.getValue() == null || !one.getKey().topic().equals(topic)) continue;
        sum += one.getValue().offset();
      }
      return sum;
    } catch (ExecutionException error) {
      if (error.getCause() instanceof GroupIdNotFoundException) return 0;
      throw error;
    }
  }

  private long ends(String topic) throws Exception {
    Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
    for (int p = 0; p < Input.PARTITIONS; p++) {
      asked.put(new TopicPartition(topic, p), OffsetSpec.latest());
    }
    return admin.listOffsets(asked).all().get().values().stream()
        .mapToLong(ListOffsetsResultInfo::offset).sum();
  }

  private static List<String> texts(JsonNode array) {
    List<String> texts = new ArrayList<>();
    if (array != null) for (JsonNode one : array) texts.add(one.asText());
    return texts;
  }
}
