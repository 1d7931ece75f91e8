// The page views of the comparison, number by number the same as those of bench/page-views.ts.
import java.util.function.Consumer;

final class Views {
  static final int PAGES = 100_000;
  static final int USERS = 50_000;
  static final int CYCLE_VIEWS = 2_000_000;
  static final long CYCLE_MS = 600_000;
  static final long WINDOW_MS = 60_000;

  private Views() {}

  /** One view; the object is used again for the next. */
  static final class View {
    int index;
    int page;
    int user;
    long timestamp;

    String pageName() {
      return "page-" + padded(page, 7);
    }

    String userName() {
      return "user-" + padded(user, 6);
    }

    /** About 120 bytes; ids differ from view to view. */
    String text() {
      String hex = hex8((index + 1) * 0x9e3779b1);
      String id = hex + "-" + hex.substring(0, 4) + "-" + hex.substring(4) + "-"
          + hex.substring(2, 6) + "-" + hex + hex.substring(0, 4);
      return "{\"id\":\"" + id + "\",\"user_id\":\"" + userName() + "\",\"page_id\":\""
          + pageName() + "\",\"timestamp\":" + timestamp + "}";
    }
  }

  /** Pages log-uniform; the same ones come again after a cycle, while time goes on. */
  static void each(int events, long base, Consumer<View> visit) {
    int perCycle = Math.min(events, CYCLE_VIEWS);
    // Of the strict kind, so that every digit is that of JavaScript.
    double spread = StrictMath.log(PAGES);
    Random random = new Random();
    View view = new View();
    for (int index = 0; index < events; index++) {
      int place = index % perCycle;
      if (place == 0) random = new Random();
      view.index = index;
      view.page = (int) StrictMath.floor(StrictMath.exp(random.next() * spread)) - 1;
      view.user = (int) (random.next() * USERS);
      view.timestamp = base + index / perCycle * CYCLE_MS + place * CYCLE_MS / perCycle;
      visit.accept(view);
    }
  }

  /** As many pages as views, all in one minute: a table of so many keys. */
  static void eachDistinct(int events, long base, Consumer<View> visit) {
    View view = new View();
    for (int index = 0; index < events; index++) {
      view.index = index;
      view.page = index;
      view.user = index % USERS;
      view.timestamp = base + index * (WINDOW_MS - 1_000) / events;
      visit.accept(view);
    }
  }

  static String padded(int value, int width) {
    String text = Integer.toString(value);
    return "0".repeat(width - text.length()) + text;
  }

  private static String hex8(int value) {
    String text = Integer.toHexString(value);
    return "0".repeat(8 - text.length()) + text;
  }

  /** mulberry32, from seed 42. */
  private static final class Random {
    private int state = 42;

    double next() {
      state += 0x6d2b79f5;
      int mixed = (state ^ (state >>> 15)) * (1 | state);
      mixed = (mixed + (mixed ^ (mixed >>> 7)) * (61 | mixed)) ^ mixed;
      return Integer.toUnsignedLong(mixed ^ (mixed >>> 14)) / 4_294_967_296.0;
    }
  }
}
