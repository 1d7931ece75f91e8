// Prints what Kafka's own classes make of keys and records, one line of JSON for each: the bytes
// that our encoder, our reader and our partitioner are held against. Run by golden.ts.
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.Utils;

public final class Golden {
  private static final ObjectMapper json = new ObjectMapper();
  private static final long noon = 1_700_000_000_000L;
  private static final int[] partitionCounts = {1, 2, 3, 7, 8, 12, 50, 1000};
  private static final Random random = new Random(42);

  private record Row(long offset, SimpleRecord record) {}

  /** A batch's header, before its records. */
  private record Shape(
      String name,
      long baseOffset,
      int leaderEpoch,
      CompressionType compression,
      TimestampType timestampType,
      long producerId,
      short producerEpoch,
      int baseSequence,
      boolean isTransactional) {}

  public static void main(String[] args) throws Exception {
    keys();
    plain("one record", row(0, noon, "key", "value"));
    plain("null key", row(0, noon, null, "value"));
    plain("null value", row(0, noon, "key", null));
    plain("both null", row(0, noon, null, null));
    plain("both empty", row(0, noon, "", ""));
    plain("no timestamp", row(0, -1, "key", "value"));
    plain("sizes around a varint's steps", sizes());
    plain("timestamps back and forth", times());
    plain("headers", headers());
    plain("gaps of compaction", row(3, noon, "d", "1"), row(4, noon, "e", "2"),
        row(90, noon + 5, "f", "3"), row(20_000, noon + 9, "g", "4"));
    plain("many records", many(300));
    write(shape("idempotent", CompressionType.NONE, false), many(3));
    write(shape("transactional", CompressionType.NONE, true), many(3));
    write(new Shape("high base offset", 9_007_199_254_740_000L, 2_147_483_647, CompressionType.NONE,
        TimestampType.CREATE_TIME, RecordBatch.NO_PRODUCER_ID, RecordBatch.NO_PRODUCER_EPOCH,
        RecordBatch.NO_SEQUENCE, false), many(2));
    write(new Shape("append time", 0, 0, CompressionType.NONE, TimestampType.LOG_APPEND_TIME,
        RecordBatch.NO_PRODUCER_ID, RecordBatch.NO_PRODUCER_EPOCH, RecordBatch.NO_SEQUENCE,
        false), many(2));
    for (CompressionType type : CompressionType.values()) {
      if (type == CompressionType.NONE) continue;
      write(shape(type.name + ", one record", type, false), row(0, noon, "key", "value"));
      write(shape(type.name + ", headers", type, true), headers());
      write(shape(type.name + ", many blocks", type, false), wide(12, 9_000));
    }
    for (ControlRecordType type : List.of(ControlRecordType.COMMIT, ControlRecordType.ABORT)) {
      marker(type);
    }
  }

  private static void keys() {
    List<byte[]> keys = new ArrayList<>();
    for (int size = 0; size <= 40; size++) {
      for (int round = 0; round < 4; round++) keys.add(bytes(size));
    }
    for (String text : List.of("a", "ab", "abc", "abcd", "/page/1", "/page/2", "ключ", "鍵", "🔑")) {
      keys.add(text.getBytes(StandardCharsets.UTF_8));
    }
    for (int value : new int[] {0, 0x7f, 0x80, 0xff}) {
      for (int size = 1; size <= 9; size++) {
        byte[] same = new byte[size];
        java.util.Arrays.fill(same, (byte) value);
        keys.add(same);
      }
    }
    for (byte[] key : keys) {
      ObjectNode line = json.createObjectNode();
      line.put("key", key);
      line.put("murmur2", Utils.murmur2(key));
      ArrayNode partitions = line.putArray("partitions");
      for (int count : partitionCounts) {
        ArrayNode pair = partitions.addArray();
        pair.add(count).add(BuiltInPartitioner.partitionForKey(key, count));
      }
      System.out.println(line);
    }
  }

  private static void plain(String name, Row... rows) {
    write(new Shape(name, rows[0].offset, 0, CompressionType.NONE, TimestampType.CREATE_TIME,
        RecordBatch.NO_PRODUCER_ID, RecordBatch.NO_PRODUCER_EPOCH, RecordBatch.NO_SEQUENCE, false),
        rows);
  }

  private static Shape shape(String name, CompressionType type, boolean isTransactional) {
    return new Shape(name, 0, 7, type, TimestampType.CREATE_TIME, 4_000_000_000L, (short) 12,
        2_147_483_600, isTransactional);
  }

  private static void write(Shape shape, Row... rows) {
    long appended = noon + 77;
    MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1024),
        RecordBatch.MAGIC_VALUE_V2, Compression.of(shape.compression).build(), shape.timestampType,
        shape.baseOffset, appended, shape.producerId, shape.producerEpoch, shape.baseSequence,
        shape.isTransactional, shape.leaderEpoch);
    ObjectNode line = head(shape);
    ArrayNode records = line.putArray("records");
    for (Row row : rows) {
      long offset = shape.baseOffset == rows[0].offset ? row.offset : shape.baseOffset + row.offset;
      builder.appendWithOffset(offset, row.record);
      ObjectNode record = records.addObject();
      record.put("offset", offset);
      boolean isAppendTime = shape.timestampType == TimestampType.LOG_APPEND_TIME;
      record.put("timestamp", isAppendTime ? appended : row.record.timestamp());
      record.put("key", array(row.record.key()));
      byte[] value = array(row.record.value());
      // Bytes of `wide` are too many to write down: how they are made stands for them.
      if (value == null || value.length < 9_000) record.put("value", value);
      else record.put("pattern", value[0] - 'a').put("size", value.length);
      ArrayNode headers = record.putArray("headers");
      for (Header header : row.record.headers()) {
        headers.addArray().add(header.key()).add(header.value());
      }
    }
    print(line, builder.build());
  }

  private static void marker(ControlRecordType type) {
    Shape shape = new Shape(type.name() + " marker", 41, 5, CompressionType.NONE,
        TimestampType.CREATE_TIME, 4_000_000_000L, (short) 12, RecordBatch.NO_SEQUENCE, true);
    ObjectNode line = head(shape);
    line.put("marker", type.name());
    line.putArray("records");
    print(line, MemoryRecords.withEndTransactionMarker(shape.baseOffset, noon, shape.leaderEpoch,
        shape.producerId, shape.producerEpoch, new EndTransactionMarker(type, 3)));
  }

  private static ObjectNode head(Shape shape) {
    ObjectNode line = json.createObjectNode();
    line.put("batch", shape.name);
    line.put("baseOffset", shape.baseOffset);
    line.put("leaderEpoch", shape.leaderEpoch);
    line.put("compression", shape.compression.name);
    line.put("isAppendTime", shape.timestampType == TimestampType.LOG_APPEND_TIME);
    line.put("producerId", shape.producerId);
    line.put("producerEpoch", shape.producerEpoch);
    line.put("baseSequence", shape.baseSequence);
    line.put("isTransactional", shape.isTransactional);
    return line;
  }

  private static void print(ObjectNode line, MemoryRecords records) {
    line.put("bytes", array(records.buffer()));
    System.out.println(line);
  }

  private static Row row(long offset, long timestamp, String key, String value) {
    return new Row(offset, new SimpleRecord(timestamp, utf8(key), utf8(value)));
  }

  private static Row[] sizes() {
    int[] sizes = {0, 1, 23, 24, 25, 62, 63, 64, 65, 8_190, 8_191, 8_192, 8_193};
    Row[] rows = new Row[sizes.length];
    for (int i = 0; i < sizes.length; i++) {
      rows[i] = new Row(i, new SimpleRecord(noon, bytes(i % 3), bytes(sizes[i])));
    }
    return rows;
  }

  private static Row[] times() {
    long[] deltas = {0, -1, 63, 64, -64, -65, 8_191, 8_192, -8_192, -8_193, 1_048_576, -1_048_577,
        134_217_727, 134_217_728, -134_217_729, 2_147_483_647L, 2_147_483_648L, -2_147_483_649L,
        34_359_738_368L, -1_600_000_000_000L, 500_000_000_000L};
    Row[] rows = new Row[deltas.length];
    for (int i = 0; i < deltas.length; i++) rows[i] = row(i, noon + deltas[i], "k" + i, "v");
    return rows;
  }

  private static Row[] headers() {
    Header[] few = {new RecordHeader("trace", utf8("abc")), new RecordHeader("trace", utf8("again")),
        new RecordHeader("", utf8("no name")), new RecordHeader("nothing", (byte[]) null),
        new RecordHeader("empty", new byte[0]), new RecordHeader("größe 鍵 🔑", bytes(70))};
    Header[] lots = new Header[70];
    for (int i = 0; i < lots.length; i++) lots[i] = new RecordHeader("h" + i, bytes(i % 5));
    return new Row[] {new Row(0, new SimpleRecord(noon, utf8("a"), utf8("1"), few)),
        new Row(1, new SimpleRecord(noon + 1, null, utf8("2"), lots)),
        new Row(2, new SimpleRecord(noon + 2, utf8("c"), utf8("3")))};
  }

  private static Row[] many(int count) {
    Row[] rows = new Row[count];
    for (int i = 0; i < count; i++) rows[i] = row(i, noon + i * 3L, "/page/" + i % 7, "{\"n\":" + i + "}");
    return rows;
  }

  /** Bytes that shrink, over more than one block of every algorithm. */
  private static Row[] wide(int count, int size) {
    Row[] rows = new Row[count];
    for (int i = 0; i < count; i++) {
      byte[] value = new byte[size];
      for (int at = 0; at < size; at++) value[at] = (byte) ('a' + (at / 16 + i) % 20);
      rows[i] = new Row(i, new SimpleRecord(noon + i, utf8("k" + i), value));
    }
    return rows;
  }

  private static byte[] bytes(int size) {
    byte[] made = new byte[size];
    random.nextBytes(made);
    return made;
  }

  private static byte[] utf8(String text) {
    return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] array(ByteBuffer buffer) {
    return buffer == null ? null : Utils.toArray(buffer.duplicate());
  }
}
