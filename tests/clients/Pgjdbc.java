// pgjdbc: its own implementation of the protocol in Java; batches, portals, server-prepared statements, CopyManager.
import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

public class Pgjdbc {
    interface Scenario { void run(Connection c) throws Exception; }

    static final Map<String, Scenario> SCENARIOS = new LinkedHashMap<>();

    static void show(Object... values) {
        StringBuilder line = new StringBuilder("  ");
        for (Object value : values) line.append(' ').append(value);
        System.out.println(line);
    }

    static Connection connect(String... more) throws SQLException {
        Map<String, String> env = System.getenv();
        Properties p = new Properties();
        p.setProperty("user", env.get("PGUSER"));
        p.setProperty("password", env.get("PGPASSWORD"));
        p.setProperty("sslmode", env.get("PGSSLMODE"));
        p.setProperty("sslrootcert", env.get("PGSSLROOTCERT"));
        for (int i = 0; i < more.length; i += 2) p.setProperty(more[i], more[i + 1]);
        return DriverManager.getConnection(
            "jdbc:postgresql://localhost:" + env.get("PGPORT") + "/" + env.get("PGDATABASE"), p);
    }

    static void failing(Connection c, String sql) {
        try (Statement s = c.createStatement()) {
            s.execute(sql);
            show("ran", sql);
        } catch (SQLException e) {
            show(e.getSQLState(), e.getMessage().replace('\n', '|'));
        }
    }

    static {
        SCENARIOS.put("statements", c -> {
            try (Statement s = c.createStatement()) {
                boolean rows = s.execute("SELECT 1; SELECT 2, 'b'; UPDATE department SET name = name WHERE false");
                while (true) {
                    if (rows) { ResultSet r = s.getResultSet(); r.next(); show("row", r.getString(1)); }
                    else { int n = s.getUpdateCount(); if (n == -1) break; show("count", n); }
                    rows = s.getMoreResults();
                }
            }
        });
        SCENARIOS.put("prepared_and_server_prepared", c -> {
            try (PreparedStatement s = c.prepareStatement("SELECT first_name FROM employee WHERE employee_no = ?")) {
                for (int n = 1; n <= 12; n++) {
                    s.setInt(1, n);
                    try (ResultSet r = s.executeQuery()) { r.next(); show(r.getString(1)); }
                }
            }
        });
        for (String mode : List.of("simple", "extended", "extendedForPrepared", "extendedCacheEverything")) {
            SCENARIOS.put("query_mode_" + mode, ignored -> {
                try (Connection c = connect("preferQueryMode", mode, "prepareThreshold", "1");
                     PreparedStatement s = c.prepareStatement("SELECT ?::int + 1, ?::text")) {
                    for (int n = 0; n < 3; n++) {
                        s.setInt(1, n); s.setString(2, "it's");
                        ResultSet r = s.executeQuery(); r.next(); show(r.getInt(1), r.getString(2));
                    }
                }
            });
        }
        SCENARIOS.put("fetch_size_portals", c -> {
            c.setAutoCommit(false);
            try (PreparedStatement s = c.prepareStatement("SELECT employee_no FROM employee ORDER BY 1")) {
                s.setFetchSize(50);
                long sum = 0; ResultSet r = s.executeQuery(); while (r.next()) sum += r.getInt(1);
                show(sum);
                s.setMaxRows(7);
                int n = 0; r = s.executeQuery(); while (r.next()) n++;
                show(n);
            }
            c.commit();
        });
        SCENARIOS.put("batch", c -> {
            c.setAutoCommit(false);
            try (PreparedStatement s = c.prepareStatement("INSERT INTO department VALUES (?, ?)")) {
                for (int n = 0; n < 300; n++) {
                    s.setString(1, String.format("b%03d", n)); s.setString(2, "batch " + n); s.addBatch();
                }
                show(Arrays.stream(s.executeBatch()).sum());
            }
            c.rollback();
            try (PreparedStatement s = c.prepareStatement("INSERT INTO department VALUES (?, ?)")) {
                for (String key : List.of("b001", "d001", "b002")) { s.setString(1, key); s.setString(2, key); s.addBatch(); }
                s.executeBatch();
            } catch (BatchUpdateException e) {
                show(e.getSQLState(), Arrays.toString(e.getUpdateCounts()));
            }
            c.rollback();
            failing(c, "SELECT 1");
            c.rollback();
        });
        SCENARIOS.put("generated_keys", c -> {
            c.setAutoCommit(false);
            try (PreparedStatement s = c.prepareStatement("INSERT INTO department VALUES ('g001', 'g')", new String[] {"name"})) {
                s.executeUpdate(); ResultSet r = s.getGeneratedKeys(); r.next(); show(r.getString(1));
            }
            c.rollback();
        });
        SCENARIOS.put("copy_manager", c -> {
            try (Statement s = c.createStatement()) { s.execute("CREATE TEMPORARY TABLE c (n int, t text)"); }
            CopyManager copy = c.unwrap(PGConnection.class).getCopyAPI();
            StringBuilder text = new StringBuilder();
            for (int n = 0; n < 5000; n++) text.append(n).append("\ttext ").append(n).append('\n');
            show(copy.copyIn("COPY c FROM STDIN", new StringReader(text.toString())));
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            show(copy.copyOut("COPY (SELECT * FROM c WHERE n < 3 ORDER BY n) TO STDOUT", out), out.toString(StandardCharsets.UTF_8).replace('\n', '|'));
            try { copy.copyIn("COPY c FROM STDIN", new StringReader("x\ty\n")); } catch (SQLException e) { show(e.getSQLState()); }
            failing(c, "SELECT 'usable'");
        });
        SCENARIOS.put("cancel", c -> {
            try (Statement s = c.createStatement()) {
                new Timer(true).schedule(new TimerTask() { public void run() { try { s.cancel(); } catch (SQLException e) { show(e); } } }, 500);
                s.executeQuery("SELECT count(pg_sleep(0.01)) FROM employee");
            } catch (SQLException e) { show(e.getSQLState(), e.getMessage()); }
            try (Statement s = c.createStatement()) {
                s.setQueryTimeout(1);
                s.executeQuery("SELECT count(pg_sleep(0.01)) FROM employee");
            } catch (SQLException e) { show(e.getSQLState(), e.getMessage()); }
            failing(c, "SELECT 'usable'");
        });
        SCENARIOS.put("errors_and_savepoints", c -> {
            c.setAutoCommit(false);
            Savepoint point = c.setSavepoint();
            failing(c, "SELECT * FROM nowhere");
            failing(c, "SELECT 1");
            c.rollback(point);
            failing(c, "SELECT 1");
            c.rollback();
            failing(c, "SELECT 1 / 0");
            c.rollback();
        });
        SCENARIOS.put("metadata", c -> {
            DatabaseMetaData m = c.getMetaData();
            show(m.getDatabaseProductName(), m.getDatabaseMajorVersion());
            try (ResultSet r = m.getTables(null, "public", "%", new String[] {"TABLE", "VIEW"})) { while (r.next()) show(r.getString(3)); }
            try (ResultSet r = m.getColumns(null, "public", "employee", "%")) { while (r.next()) show(r.getString(4), r.getString(6)); }
            try (ResultSet r = m.getPrimaryKeys(null, "public", "salary")) { while (r.next()) show(r.getString(4)); }
            try (ResultSet r = m.getImportedKeys(null, "public", "salary")) { while (r.next()) show(r.getString(3), r.getString(8)); }
            try (ResultSet r = m.getIndexInfo(null, "public", "employee", false, false)) { while (r.next()) show(r.getString(6)); }
        });
        SCENARIOS.put("target_primary", ignored -> {
            try (Connection c = connect("targetServerType", "primary"); Statement s = c.createStatement()) {
                ResultSet r = s.executeQuery("SELECT count(*) FROM department"); r.next(); show(r.getInt(1));
            }
        });
        SCENARIOS.put("settings", c -> {
            c.setReadOnly(true); c.setAutoCommit(false);
            failing(c, "INSERT INTO department VALUES ('n', 'n')");
            c.rollback();
            c.setReadOnly(false);
            c.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SHOW transaction_isolation")) { r.next(); show(r.getString(1)); }
            c.rollback();
            c.setSchema("public");
            show(c.getSchema(), c.getCatalog());
            try (Statement s = c.createStatement()) { s.execute("DO $$ BEGIN RAISE WARNING 'careful'; END $$"); show(s.getWarnings().getMessage()); }
        });
        SCENARIOS.put("fifty_thousand_rows", c -> {
            try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT n, md5(n::text) FROM generate_series(1, 50000) n")) {
                int n = 0; String last = ""; while (r.next()) { n++; last = r.getString(2); } show(n, last);
            }
        });
    }

    public static void main(String[] wanted) {
        for (Map.Entry<String, Scenario> scenario : SCENARIOS.entrySet()) {
            if (wanted.length > 0 && !List.of(wanted).contains(scenario.getKey())) continue;
            System.out.println("## " + scenario.getKey());
            try (Connection c = connect()) {
                scenario.getValue().run(c);
            } catch (Exception e) {
                show("UNEXPECTED", e);
            }
        }
    }
}
