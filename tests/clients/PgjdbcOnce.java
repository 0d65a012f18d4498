// pgjdbc: runs a statement that changes something and one that reads, twice each; prints how it went.
import java.sql.*;
import java.util.*;

public class PgjdbcOnce {
    public static void main(String[] statements) throws Exception {
        Map<String, String> env = System.getenv();
        Properties p = new Properties();
        p.setProperty("user", env.get("PGUSER"));
        p.setProperty("password", env.get("PGPASSWORD"));
        p.setProperty("sslmode", env.get("PGSSLMODE"));
        p.setProperty("sslrootcert", env.get("PGSSLROOTCERT"));
        String url = "jdbc:postgresql://localhost:" + env.get("PGPORT") + "/" + env.get("PGDATABASE");
        try (Connection c = DriverManager.getConnection(url, p)) {
            for (int round = 0; round < 2; round++) {
                try (PreparedStatement s = c.prepareStatement(statements[0])) {
                    System.out.println("changed " + s.executeUpdate());
                } catch (SQLException e) {
                    System.out.println(e.getSQLState());
                }
            }
            for (int round = 0; round < 2; round++) {
                try (PreparedStatement s = c.prepareStatement(statements[1]); ResultSet r = s.executeQuery()) {
                    r.next();
                    System.out.println("read " + r.getLong(1));
                } catch (SQLException e) {
                    System.out.println(e.getSQLState());
                }
            }
        }
    }
}
