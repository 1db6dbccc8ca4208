import java.util.concurrent.Callable;

/** What the program says to the harness: one JSON object a line, the verdict last. */
final class Verdict {
    static final class Failed extends RuntimeException {
        Failed(String message) {
            super(message);
        }
    }

    static final class NotSupported extends RuntimeException {
        NotSupported(String reason) {
            super(reason);
        }
    }

    private Verdict() {}

    static void check(boolean condition, String message) {
        if (!condition) {
            throw new Failed(message);
        }
    }

    /** Polls until the condition holds; returns the seconds that took. */
    static double waitFor(String what, Callable<Boolean> condition, double seconds) throws Exception {
        long begin = System.nanoTime();
        while (!condition.call()) {
            check(since(begin) < seconds, "after " + seconds + " s still not: " + what);
            Thread.sleep(20);
        }
        return since(begin);
    }

    static double since(long begin) {
        return (System.nanoTime() - begin) / 1e9;
    }

    static void event(String name) {
        print("{\"event\": \"" + name + "\"}");
    }

    static void print(String line) {
        System.out.println(line);
        System.out.flush();
    }

    static int judge(Callable<String> scenario) {
        try {
            String detail = scenario.call();
            print(line("ok", detail == null ? "" : detail));
            return 0;
        } catch (NotSupported reason) {
            print(line("n/a", reason.getMessage()));
            return 0;
        } catch (Failed failure) {
            print(line("fail", failure.getMessage()));
            return 1;
        } catch (Throwable error) {
            error.printStackTrace();
            print(line("fail", error.toString()));
            return 1;
        }
    }

    private static String line(String verdict, String detail) {
        StringBuilder quoted = new StringBuilder();
        for (char c : detail.toCharArray()) {
            if (c == '"' || c == '\\') {
                quoted.append('\\').append(c);
            } else if (c < ' ') {
                quoted.append(' ');
            } else {
                quoted.append(c);
            }
        }
        return "{\"verdict\": \"" + verdict + "\", \"detail\": \"" + quoted + "\"}";
    }
}
