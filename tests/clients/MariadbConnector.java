// MariaDB Connector/J: text and binary protocol, batches, streams, several results, session calls of JDBC.
import java.math.BigDecimal;
import java.sql.*;
import java.util.*;

public class MariadbConnector {
    interface Scenario { void run(Connection c) throws Exception; }

    static final Map<String, Scenario> SCENARIOS = new LinkedHashMap<>();

    static void show(Object... values) {
        StringBuilder line = new StringBuilder("  ");
        for (Object value : values) line.append(' ').append(value instanceof byte[] ? Arrays.toString((byte[]) value) : value);
        System.out.println(line);
    }

    static Connection connect(String more) throws SQLException {
        Map<String, String> env = System.getenv();
        return DriverManager.getConnection("jdbc:mariadb://localhost:" + env.get("MYSQL_TCP_PORT") + "/hr_prod?useSsl=true&serverSslCert="
            + env.get("MYSQL_CA") + (env.containsKey("MYSQL_COMPRESS") ? "&useCompression=true" : "") + more, env.get("MYSQL_USER"), env.get("MYSQL_PWD"));
    }

    static void rows(ResultSet r) throws SQLException {
        ResultSetMetaData m = r.getMetaData();
        StringBuilder head = new StringBuilder();
        for (int i = 1; i <= m.getColumnCount(); i++) head.append(m.getColumnLabel(i)).append(':').append(m.getColumnTypeName(i)).append(' ');
        show(head);
        while (r.next()) {
            StringBuilder row = new StringBuilder();
            for (int i = 1; i <= m.getColumnCount(); i++) row.append(r.getString(i)).append(" | ");
            show(row);
        }
    }

    static void query(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) { rows(r); }
    }

    static void failing(Connection c, String sql) {
        try (Statement s = c.createStatement()) {
            s.execute(sql);
            show("ran", sql);
        } catch (SQLException e) {
            // The driver puts the number of its connection in front.
            show(e.getSQLState(), e.getErrorCode(), e.getMessage().replaceAll("\\(conn=\\d+\\)", "").replace('\n', '|'));
        }
    }

    static void values(Connection c) throws SQLException {
        try (PreparedStatement s = c.prepareStatement("SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e, ? AS f")) {
            s.setInt(1, 7);
            s.setString(2, "Zoë O'Neill \\ \"x\"");
            s.setBigDecimal(3, new BigDecimal("1.50"));
            s.setNull(4, Types.VARCHAR);
            s.setDate(5, java.sql.Date.valueOf("2026-01-02"));
            s.setBytes(6, new byte[] {0, -1, 39});
            try (ResultSet r = s.executeQuery()) {
                r.next();
                show(r.getInt(1), r.getString(2), r.getBigDecimal(3), r.getString(4), r.getString(5), r.getBytes(6));
            }
        }
        try (PreparedStatement s = c.prepareStatement("SELECT first_name, hired_on FROM employee WHERE employee_no = ?")) {
            for (int n = 1; n < 6; n++) {
                s.setInt(1, n);
                try (ResultSet r = s.executeQuery()) { r.next(); show(r.getString(1), r.getDate(2)); }
            }
        }
    }

    static {
        SCENARIOS.put("text", MariadbConnector::values);
        SCENARIOS.put("binary", other -> {
            // What this driver sends to prepare and run at once, MySQL itself takes for a broken packet.
            if (!other.getMetaData().getDatabaseProductName().equals("MariaDB")) return;
            try (Connection c = connect("&useServerPrepStmts=true")) { values(c); failing(c, "SELECT * FROM nowhere"); }
        });
        SCENARIOS.put("transactions", c -> {
            c.setAutoCommit(false);
            try (Statement s = c.createStatement()) {
                show(s.executeUpdate("INSERT INTO department VALUES ('j001', 'Java')"));
                Savepoint point = c.setSavepoint("here");
                show(s.executeUpdate("UPDATE department SET name = 'Lost' WHERE department_no = 'j001'"));
                c.rollback(point);
                query(c, "SELECT name FROM department WHERE department_no = 'j001'");
            }
            failing(c, "INSERT INTO department VALUES ('j001', 'Twice')");
            c.rollback();
            c.setAutoCommit(true);
            query(c, "SELECT COUNT(*) AS n FROM department WHERE department_no LIKE 'j%'");
            c.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            show(c.getTransactionIsolation());
        });
        SCENARIOS.put("generated_keys_and_batches", c -> {
            try (Statement s = c.createStatement()) {
                s.execute("CREATE TEMPORARY TABLE keyed (id int AUTO_INCREMENT PRIMARY KEY, t varchar(10))");
                s.executeUpdate("INSERT INTO keyed (t) VALUES ('a'), ('b')", Statement.RETURN_GENERATED_KEYS);
                try (ResultSet r = s.getGeneratedKeys()) { rows(r); }
            }
            try (PreparedStatement s = c.prepareStatement("INSERT INTO keyed (t) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
                for (int n = 0; n < 30; n++) { s.setString(1, "x" + n); s.addBatch(); }
                show(s.executeBatch().length);
            }
            query(c, "SELECT COUNT(*) AS n, MAX(id) AS m FROM keyed");
        });
        SCENARIOS.put("stream", c -> {
            try (Statement s = c.createStatement(ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_READ_ONLY)) {
                s.setFetchSize(10);
                long sum = 0;
                try (ResultSet r = s.executeQuery("SELECT employee_no FROM employee, department")) { while (r.next()) sum += r.getInt(1); }
                show(sum);
            }
        });
        SCENARIOS.put("several_results", ignored -> {
            try (Connection c = connect("&allowMultiQueries=true"); Statement s = c.createStatement()) {
                boolean rows = s.execute("SELECT 1 AS a; SET @x = 2; SELECT @x AS b, 3 AS c");
                while (true) {
                    if (rows) { try (ResultSet r = s.getResultSet()) { rows(r); } }
                    else { int n = s.getUpdateCount(); if (n == -1) break; show("count", n); }
                    rows = s.getMoreResults();
                }
            }
        });
        SCENARIOS.put("metadata", c -> {
            DatabaseMetaData m = c.getMetaData();
            show(m.getDatabaseProductName(), m.getDatabaseMajorVersion());
            try (ResultSet r = m.getTables("hr_prod", null, "%", new String[] {"TABLE", "VIEW"})) { while (r.next()) show(r.getString(3), r.getString(4)); }
            try (ResultSet r = m.getColumns("hr_prod", null, "employee", null)) { while (r.next()) show(r.getString(4), r.getString(6), r.getInt(7)); }
            try (ResultSet r = m.getPrimaryKeys("hr_prod", null, "salary")) { while (r.next()) show(r.getString(4), r.getInt(5)); }
            try (ResultSet r = m.getImportedKeys("hr_prod", null, "title")) { while (r.next()) show(r.getString(3), r.getString(8)); }
            try (ResultSet r = m.getIndexInfo("hr_prod", null, "department", true, true)) { while (r.next()) show(r.getString(6), r.getString(9)); }
        });
        SCENARIOS.put("procedure", c -> {
            try (Statement s = c.createStatement()) {
                s.execute("DROP PROCEDURE IF EXISTS java_twice");
                s.execute("CREATE PROCEDURE java_twice(IN a int, OUT b int) BEGIN SELECT a; SET b = a * 2; END");
                try (CallableStatement call = c.prepareCall("{call java_twice(?, ?)}")) {
                    call.setInt(1, 21);
                    call.registerOutParameter(2, Types.INTEGER);
                    call.execute();
                    show(call.getInt(2));
                }
                s.execute("DROP PROCEDURE java_twice");
            }
        });
        SCENARIOS.put("session", c -> {
            show(c.isValid(2), c.getCatalog(), c.isReadOnly());
            c.setCatalog("information_schema");
            query(c, "SELECT DATABASE() AS d");
            c.setCatalog("hr_prod");
            c.setReadOnly(true);
            query(c, "SELECT COUNT(*) AS n FROM employee");
            c.setReadOnly(false);
            try (Statement s = c.createStatement()) { s.execute("SELECT 1 / 0"); show(s.getWarnings()); }
        });
        SCENARIOS.put("time_out", c -> {
            try (Statement s = c.createStatement()) {
                s.setQueryTimeout(1);
                s.executeQuery("SELECT COUNT(*) FROM employee a JOIN employee b JOIN employee c WHERE SIN(a.employee_no * b.employee_no) + c.employee_no > 1e9");
                show("it ended by itself");
            } catch (SQLException e) {
                show(e.getClass().getSimpleName(), e.getSQLState());
            }
            query(c, "SELECT 'usable' AS a");
        });
        SCENARIOS.put("errors", c -> {
            for (String sql : new String[] {"SELEC 1", "SELECT * FROM nowhere", "SELECT nothing FROM employee", "UPDATE department SET name = NULL"}) failing(c, sql);
        });
    }

    public static void main(String[] arguments) {
        for (Map.Entry<String, Scenario> scenario : SCENARIOS.entrySet()) {
            System.out.println("## " + scenario.getKey());
            try (Connection c = connect("")) {
                scenario.getValue().run(c);
            } catch (Throwable e) {
                show("UNEXPECTED", e.getClass().getSimpleName(), e.getMessage());
            }
        }
    }
}
