"""What every Python driver of MySQL is told: the same scenarios, by PEP 249.

Prints what it sees; the same on every run and, so it is meant, with and without the gateway between. Identifiers of
connections, and names of accounts, are not printed: the gateway has its own.
"""

import datetime
import decimal
import os
import threading
import time

from transcript import show

HOST = os.environ.get("MYSQL_HOST", "127.0.0.1")
PORT = int(os.environ["MYSQL_TCP_PORT"])
USER = os.environ["MYSQL_USER"]
PASSWORD = os.environ["MYSQL_PWD"]
CA = os.environ["MYSQL_CA"]
COMPRESSES = "MYSQL_COMPRESS" in os.environ
DATABASE = "hr_prod"


def all_of(cursor, sql, parameters=None):
    """Runs a statement and gives its rows, as plain values that all drivers spell alike."""
    cursor.execute(sql, parameters) if parameters is not None else cursor.execute(sql)
    return [tuple(plain(value) for value in row) for row in cursor.fetchall()] if cursor.description else []


def plain(value):
    """Byte strings have several types among drivers, and sets another order in every process."""
    if isinstance(value, set):
        return sorted(value)
    return bytes(value) if isinstance(value, (bytearray, memoryview)) else value


def told(error):
    """What an error says: number, SQLSTATE where the driver shows it, text."""
    return (type(error).__name__, *error.args[:2]) if len(error.args) > 1 else (type(error).__name__, str(error))


def fails(cursor, sql, parameters=None):
    """Runs a statement that must fail."""
    try:
        show("it worked", sql, all_of(cursor, sql, parameters))
    except Exception as error:  # noqa: BLE001: what the driver raises is what is compared
        show(sql, *told(error))


def parameters_and_results(connection):
    cursor = connection.cursor()
    show(all_of(cursor, "SELECT %s, %s, %s, %s, %s, %s", (
        7, "Zoë O'Neill \\ \"x\"", decimal.Decimal("1.50"), None, datetime.date(2026, 1, 2),
        datetime.datetime(2026, 1, 2, 3, 4, 5, 678900))))
    show(all_of(cursor, "SELECT employee_no, first_name, hired_on FROM employee WHERE employee_no IN (%s, %s) ORDER BY 1", (1, 26)))
    show([column[:2] for column in cursor.description], cursor.rowcount)
    show(all_of(cursor, "SELECT HEX(%s), LENGTH(%s)", (b"\x00\xff'\\\"\n", b"\xe2\x28\xf0'")))


def every_type(connection):
    cursor = connection.cursor()
    cursor.execute("DROP TABLE IF EXISTS kinds")
    cursor.execute("""CREATE TABLE kinds (
        a tinyint, b smallint unsigned, c mediumint, d int, e bigint unsigned, f float, g double, h decimal(30, 10), i bit(10),
        j date, k time(3), l datetime(6), m timestamp NULL, n year, o char(5), p varchar(20), q binary(4), r varbinary(10),
        s tinytext, t mediumtext, u longtext, v tinyblob, w mediumblob, x longblob, y enum('one', 'two'), z set('x', 'y', 'z'),
        aa json, bb geometry)""")
    cursor.execute("""INSERT INTO kinds VALUES (-128, 65535, -8388608, -2147483648, 18446744073709551615, 1.5, 2.25, 12345678901234567890.0123456789,
        b'1010101010', '1000-01-01', '-838:59:58.999', '9999-12-31 23:59:59.999999', '2026-01-02 03:04:05', 2155, 'abc', 'zoë', 'ab', 0x00FF10,
        'tiny', 'medium', 'long', 0x01, 0x0203, 0x040506, 'two', 'x,z', '{"a": [1, null, "ö"]}', POINT(1, 2))""")
    cursor.execute("INSERT INTO kinds (a) VALUES (NULL)")
    for row in all_of(cursor, "SELECT * FROM kinds ORDER BY a"):
        show(row)
    show([(column[0], column[1], column[6]) for column in cursor.description])
    cursor.execute("DROP TABLE kinds")
    connection.commit()


def errors(connection):
    cursor = connection.cursor()
    for sql in ["SELEC 1", "SELECT * FROM nowhere", "SELECT nothing FROM employee", "SELECT 1 + ", "INSERT INTO department VALUES ('d001', 'again')", "INSERT INTO salary VALUES (1, -1, '2001-01-01', NULL)",
                "INSERT INTO title VALUES (999999, 'Ghost', '2001-01-01', NULL)", "UPDATE department SET name = NULL",
                "SELECT nofunction()", "SELECT (SELECT 1, 2)", "SELECT 1 FROM employee GROUP BY", "DROP TABLE nowhere",
                "SELECT 9223372036854775807 + 1", "SELECT EXP(1000)", "SELECT ST_GeomFromText('nonsense')"]:
        fails(cursor, sql)
    show(all_of(cursor, "SELECT 'usable'"))


def transactions(connection):
    cursor = connection.cursor()
    show(all_of(cursor, "SELECT @@autocommit, @@in_transaction") if "MariaDB" in version(cursor) else all_of(cursor, "SELECT @@autocommit"))
    cursor.execute("INSERT INTO department VALUES ('t001', 'First')")
    connection.rollback()
    show(all_of(cursor, "SELECT COUNT(*) FROM department WHERE department_no LIKE 't%'"))
    cursor.execute("INSERT INTO department VALUES ('t001', 'First')")
    cursor.execute("SAVEPOINT s")
    cursor.execute("INSERT INTO department VALUES ('t002', 'Second')")
    cursor.execute("ROLLBACK TO SAVEPOINT s")
    fails(cursor, "INSERT INTO department VALUES ('t001', 'Twice')")
    fails(cursor, "SELECT * FROM nowhere")
    # An error does not end a transaction of MySQL's.
    cursor.execute("INSERT INTO department VALUES ('t003', 'Third')")
    cursor.execute("RELEASE SAVEPOINT s")
    connection.commit()
    show(all_of(cursor, "SELECT department_no, name FROM department WHERE department_no LIKE 't%' ORDER BY 1"))
    cursor.execute("DELETE FROM department WHERE department_no LIKE 't%'")
    show(cursor.rowcount)
    connection.commit()
    connection.autocommit(True) if callable(connection.autocommit) else setattr(connection, "autocommit", True)
    show(all_of(cursor, "SELECT @@autocommit"))
    cursor.execute("START TRANSACTION")
    cursor.execute("INSERT INTO department VALUES ('t004', 'Fourth')")
    cursor.execute("ROLLBACK AND CHAIN")
    cursor.execute("INSERT INTO department VALUES ('t005', 'Fifth')")
    cursor.execute("ROLLBACK")
    cursor.execute("START TRANSACTION READ ONLY")
    fails(cursor, "INSERT INTO department VALUES ('t006', 'Sixth')")
    cursor.execute("COMMIT")
    cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    show(all_of(cursor, "SELECT COUNT(*) FROM department"))
    cursor.execute("COMMIT")
    cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    show(all_of(cursor, "SHOW VARIABLES LIKE 't%_isolation'"))


def what_a_statement_leaves_behind(connection):
    cursor = connection.cursor()
    cursor.execute("DROP TABLE IF EXISTS counted")
    cursor.execute("CREATE TABLE counted (id int AUTO_INCREMENT PRIMARY KEY, t varchar(3))")
    cursor.execute("INSERT INTO counted (t) VALUES ('a')")
    show(cursor.lastrowid, cursor.rowcount, all_of(cursor, "SELECT LAST_INSERT_ID()"))
    cursor.execute("INSERT INTO counted (t) VALUES ('b'), ('c'), ('d')")
    show(cursor.lastrowid, cursor.rowcount, all_of(cursor, "SELECT LAST_INSERT_ID(), @@last_insert_id, @@identity"))
    cursor.execute("UPDATE counted SET t = 'z'")
    show(cursor.rowcount, all_of(cursor, "SELECT ROW_COUNT()"))
    cursor.execute("UPDATE counted SET t = 'z'")
    show(cursor.rowcount)
    show(all_of(cursor, "SELECT SQL_CALC_FOUND_ROWS id FROM counted ORDER BY id LIMIT 1"), all_of(cursor, "SELECT FOUND_ROWS()"))
    show(all_of(cursor, "SELECT LAST_INSERT_ID(77)"), all_of(cursor, "SELECT LAST_INSERT_ID()"))
    cursor.executemany("INSERT INTO counted (t) VALUES (%s)", [(str(n),) for n in range(20)])
    show(cursor.rowcount)
    cursor.execute("REPLACE INTO counted VALUES (1, 'r')")
    show(cursor.rowcount)
    cursor.execute("INSERT INTO counted VALUES (1, 'i') ON DUPLICATE KEY UPDATE t = 'u'")
    show(cursor.rowcount)
    cursor.execute("DROP TABLE counted")
    connection.commit()


def warnings(connection):
    cursor = connection.cursor()
    cursor.execute("SELECT 1 / 0, CAST('12abc' AS UNSIGNED)")
    show(cursor.fetchall())
    show(all_of(cursor, "SHOW WARNINGS"))
    show(all_of(cursor, "SHOW COUNT(*) WARNINGS"))
    cursor.execute("DROP TABLE IF EXISTS nowhere")
    show(all_of(cursor, "SHOW WARNINGS LIMIT 1"))
    show(all_of(cursor, "SELECT @@warning_count, @@error_count"))
    fails(cursor, "SELECT * FROM nowhere")
    show(all_of(cursor, "SHOW ERRORS"))


def variables_and_temporary_tables(connection):
    cursor = connection.cursor()
    cursor.execute("SET @a = 5, @b := 'x'")
    show(all_of(cursor, "SELECT @a, @b, @nothing"))
    show(all_of(cursor, "SELECT @n := @a + 1, @n"))
    cursor.execute("CREATE TEMPORARY TABLE mine (n int)")
    cursor.execute("INSERT INTO mine VALUES (1), (2), (@a)")
    show(all_of(cursor, "SELECT SUM(n) FROM mine"))
    cursor.execute("CREATE TEMPORARY TABLE salary (only_mine int)")
    show(all_of(cursor, "SELECT * FROM salary"), all_of(cursor, "DESCRIBE salary"))
    # One by one: several temporary tables at once are not let through.
    cursor.execute("DROP TEMPORARY TABLE salary")
    cursor.execute("DROP TEMPORARY TABLE mine")
    show(all_of(cursor, "SELECT COUNT(*) FROM salary"))
    show(all_of(cursor, "SELECT GET_LOCK('a lock', 1), IS_FREE_LOCK('a lock'), RELEASE_LOCK('a lock')"))
    cursor.execute("SET SESSION sql_mode = 'ANSI_QUOTES'")
    show(all_of(cursor, 'SELECT "first_name" FROM "employee" WHERE "employee_no" = 1'))
    cursor.execute("SET SESSION sql_mode = DEFAULT")
    show(all_of(cursor, 'SELECT "first_name"'))
    cursor.execute("SET SESSION time_zone = '+09:00', SESSION group_concat_max_len = 12")
    show(all_of(cursor, "SELECT @@time_zone, FROM_UNIXTIME(0), GROUP_CONCAT(name ORDER BY name) FROM department"))


def catalog(connection):
    cursor = connection.cursor()
    for sql in ["SHOW TABLES", "SHOW FULL TABLES LIKE 'c%'", "SHOW COLUMNS FROM employee", "DESCRIBE title", "SHOW CREATE TABLE department",
                "SHOW INDEX FROM department", "SHOW CREATE VIEW current_salary",
                "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'hr_prod' ORDER BY 1",
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'salary' ORDER BY ordinal_position",
                "SELECT constraint_name FROM information_schema.key_column_usage WHERE table_schema = 'hr_prod' AND table_name = 'title' ORDER BY 1",
                "SHOW VARIABLES LIKE 'character_set_c%'", "SHOW COLLATION LIKE 'utf8mb4_bin'", "SHOW CHARACTER SET LIKE 'utf8mb4'",
                "SELECT DATABASE(), SCHEMA(), @@version_comment IS NOT NULL, @@sql_mode"]:
        rows = all_of(cursor, sql)
        if sql.startswith("SHOW INDEX"):
            # The number of distinct values is the engine's guess, which changes.
            rows = [row[:6] for row in rows]
        show(sql, rows)
    show([row for row in all_of(cursor, "SHOW DATABASES") if row[0] in ("hr_prod", "information_schema")])


def large_results_and_packets(connection):
    cursor = connection.cursor()
    rows = all_of(cursor, "SELECT e.employee_no, d.department_no, SHA2(e.employee_no, 256) FROM employee e, department d ORDER BY 1, 2")
    show(len(rows), rows[0], rows[-1])
    # A packet has at most 16 MiB - 1 bytes: at that length, an empty one has to follow.
    for length in (2 ** 24 - 2, 2 ** 24 - 1, 2 ** 24, 2 ** 24 + 1, 2 ** 25 + 3):
        (result,), = all_of(cursor, f"SELECT REPEAT('x', {length})")
        show(length, len(result))
    show(all_of(cursor, "SELECT LENGTH(%s), SHA2(%s, 256) IS NOT NULL", ("y" * (2 ** 23 + 5), "z" * (2 ** 23 + 5))))


def character_sets(connection):
    cursor = connection.cursor()
    for name in ("latin1", "ascii", "utf8mb4"):
        cursor.execute(f"SET NAMES {name}")
        show(name, all_of(cursor, "SELECT @@character_set_client, @@character_set_results, @@collation_connection"))
        show(all_of(cursor, "SELECT HEX(last_name), LENGTH(last_name) FROM employee WHERE employee_no = 2"))
    cursor.execute("SET NAMES utf8mb4 COLLATE utf8mb4_bin")
    show(all_of(cursor, "SELECT 'a' = 'A', 'ß' = _utf8mb4'ß', N'x', X'41', 0x42, b'1000011', _latin1'\\n', '😀'"))
    show(all_of(cursor, "SELECT last_name FROM employee WHERE last_name = 'Yıldız' LIMIT 1"))


def prepared_by_text(connection):
    cursor = connection.cursor()
    cursor.execute("PREPARE p FROM 'SELECT first_name FROM employee WHERE employee_no = ?'")
    cursor.execute("SET @no = 3")
    show(all_of(cursor, "EXECUTE p USING @no"))
    cursor.execute("DEALLOCATE PREPARE p")
    fails(cursor, "EXECUTE p")


def databases(connection):
    cursor = connection.cursor()
    cursor.execute("USE information_schema")
    show(all_of(cursor, "SELECT DATABASE()"), all_of(cursor, "SELECT COUNT(*) FROM tables WHERE table_schema = 'hr_prod'"))
    show(all_of(cursor, "SELECT COUNT(*) FROM hr_prod.employee"))
    fails(cursor, "USE nowhere_at_all")
    cursor.execute("USE hr_prod")
    show(all_of(cursor, "SELECT COUNT(*) FROM employee"))


def routines(connection):
    cursor = connection.cursor()
    cursor.execute("DROP PROCEDURE IF EXISTS two_results")
    cursor.execute("""CREATE PROCEDURE two_results(IN a int, OUT b int)
        BEGIN
            SELECT a AS first_result;
            SELECT name FROM department ORDER BY 1 LIMIT 2;
            SET b = a * 2;
        END""")
    show(all_of(cursor, "SELECT hr_full_name(first_name, last_name) FROM employee WHERE employee_no = 1"))
    cursor.execute("CALL two_results(4, @b)")
    show(cursor.fetchall())
    while cursor.nextset():
        if cursor.description:
            show(cursor.fetchall())
    show(all_of(cursor, "SELECT @b"))
    cursor.execute("DROP PROCEDURE two_results")
    connection.commit()


def kill_of_ones_own(connect, number):
    """A second connection ends what the first one runs."""
    running = connect()
    its_number = number(running)

    def kill():
        time.sleep(0.7)
        other = connect()
        other.cursor().execute(f"KILL QUERY {its_number}")
        other.close()

    killer = threading.Thread(target=kill)
    killer.start()
    began = time.monotonic()
    fails(running.cursor(), "SELECT COUNT(*) FROM employee a JOIN employee b JOIN employee c WHERE SIN(a.employee_no * b.employee_no) + c.employee_no > 1e9")
    show(time.monotonic() - began < 10)
    killer.join()
    show(all_of(running.cursor(), "SELECT 'usable'"))
    running.close()


def version(cursor):
    return all_of(cursor, "SELECT VERSION()")[0][0]


COMMON = [parameters_and_results, every_type, errors, transactions, what_a_statement_leaves_behind, warnings,
          variables_and_temporary_tables, catalog, large_results_and_packets, character_sets, prepared_by_text, databases, routines]
