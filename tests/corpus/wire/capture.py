#!/usr/bin/env python3
"""Records what real clients and a real PostgreSQL say to each other, for tests/wire_captures.rs.

    .cache/python/bin/python tests/corpus/wire/capture.py [CLIENT …]

Each client below runs once (`odd` is none: it says by hand what is allowed and what no library does), in plain text over the loopback, against a private PostgreSQL. Between them stands a
forwarder that keeps every byte of the client's main connection: CLIENT.frontend.bin is what the client said,
CLIENT.backend.bin what it heard. The forwarder answers SSLRequest and GSSENCRequest with `N` itself, so that both are in
the captures. Passwords are new on every run and never leave SCRAM; keys and proofs in a capture belong to a server that
is gone. `make setup` installs the clients.
"""

import os
import socket
import struct
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

import lab as laboratory  # noqa: E402

USER = "tidegate_write"
LARGEST_BYTES = 60_000
ASKS_FOR_ENCRYPTION = {struct.pack("!II", 8, code) for code in (80877103, 80877104)}


class Forwarder:
    """A port that leads to the server, and everything that went through it, connection by connection."""

    def __init__(self, target):
        self.target = target
        self.connections = []
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.door.accept()
            record = {"frontend": bytearray(), "backend": bytearray()}
            self.connections.append(record)
            threading.Thread(target=self._serve, args=(client, record), daemon=True).start()

    def _serve(self, client, record):
        while (first := client.recv(8, socket.MSG_WAITALL)) in ASKS_FOR_ENCRYPTION:
            record["frontend"] += first
            record["backend"] += b"N"
            client.sendall(b"N")
        server = socket.create_connection(("127.0.0.1", self.target))
        record["frontend"] += first
        server.sendall(first)
        back = threading.Thread(target=pump, args=(server, client, record["backend"]), daemon=True)
        back.start()
        pump(client, server, record["frontend"])
        back.join(10)

    def main_connection(self):
        """What was said on the connection on which the client said most."""
        return max(self.connections, key=lambda record: len(record["frontend"]))


def pump(source, sink, kept):
    """Moves bytes one way until the end, and keeps them."""
    try:
        while data := source.recv(65536):
            kept += data
            sink.sendall(data)
    except OSError:
        pass
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


PSQL = r"""
\set VERBOSITY verbose
SELECT 1 AS one, 'Zoë' AS name, NULL AS nothing; SELECT 2 \; SELECT 3 \; VALUES ('a'), ('b');

;
SELECT * FROM nowhere;
SELECT 1 \; SELECT 1 / 0 \; SELECT 2;
CREATE TEMPORARY TABLE c (n int PRIMARY KEY, t text);
COPY c FROM STDIN;
1	one
2	\N
3	three \\ and a tab\t
\.
COPY c FROM STDIN (FORMAT csv);
4,"quoted, ""twice"" too"
x,not a number
5,five
\.
COPY c TO STDOUT;
SELECT 'before' \; COPY (SELECT * FROM c ORDER BY n) TO STDOUT (FORMAT csv) \; SELECT 'behind';
SELECT n, t FROM c WHERE n > 1 \gdesc
DROP TABLE IF EXISTS nowhere;
DO $$ BEGIN RAISE NOTICE 'a notice'; RAISE WARNING 'careful' USING HINT = 'a hint'; END $$;
LISTEN channel;
NOTIFY channel, 'payload';
BEGIN; SELECT 1 / 0; SELECT 1; ROLLBACK;
SET TimeZone = 'Asia/Tokyo';
\set FETCH_COUNT 7
SELECT n, repeat('x', n) FROM generate_series(1, 20) n;
\set FETCH_COUNT 0
PREPARE p (int) AS SELECT $1 + 1; EXECUTE p (41);
\d c
SELECT repeat('long ', 800);
SELECT n, md5(n::text) FROM generate_series(1, 40) n;
"""

PSYCOPG2 = r"""
import io, psycopg2, psycopg2.extras
connection = psycopg2.connect("")
cursor = connection.cursor()
cursor.execute("SELECT %s, %s, %s, %s", (1, "O'Neill \\ back", None, [1, 2]))
cursor.execute("CREATE TEMPORARY TABLE c (a int PRIMARY KEY, b text)")
cursor.copy_expert("COPY c FROM STDIN", io.StringIO("".join(f"{n}\ttext {n}\n" for n in range(200))))
cursor.copy_expert("COPY (SELECT * FROM c WHERE a % 10 = 0) TO STDOUT (FORMAT csv)", io.StringIO())
psycopg2.extras.execute_values(cursor, "INSERT INTO c VALUES %s RETURNING a", [(n, "v") for n in range(200, 260)])
psycopg2.extras.execute_batch(cursor, "UPDATE c SET b = b || %s WHERE a = %s", [("!", 1), ("?", 2)])
connection.commit()
named = connection.cursor("mine", scrollable=True)
named.itersize = 50
named.execute("SELECT a FROM c ORDER BY 1")
named.fetchmany(3), named.fetchall(), named.close()
for sql in ("SELECT nope", "SELECT 2", "SELECT 3"):
    try:
        cursor.execute(sql)
    except psycopg2.Error:
        pass
connection.rollback()
connection.set_session(isolation_level="SERIALIZABLE", readonly=True)
cursor.execute("SHOW transaction_isolation")
connection.rollback()
connection.set_session(readonly=False, autocommit=True)
cursor.execute("DROP TABLE IF EXISTS nowhere; LISTEN news; NOTIFY news, 'hello'")
try:
    cursor.copy_expert("COPY c FROM STDIN", io.StringIO("x\ty\n"))
except psycopg2.Error:
    pass
connection.close()
"""

PSYCOPG3 = r"""
import psycopg
connection = psycopg.connect(autocommit=True)
failing = []
def fails(what, *arguments):
    try:
        what(*arguments)
    except (psycopg.Error, ValueError) as error:
        failing.append(error)
connection.execute("SELECT %s::int, %s::text, %s::bytea, %s::int[]", (7, "Zoë", b"\x00\xff", [1, None]))
connection.cursor(binary=True).execute("SELECT 1::int8, now(), 'x'::bytea")
for n in range(8):
    connection.execute("SELECT %s::int * 2", (n,), prepare=True)
with connection.pipeline():
    for n in range(40):
        connection.execute("SELECT %s::int + 1", (n,))
def pipeline_with_an_error():
    with connection.pipeline() as pipe:
        connection.execute("SELECT 1"), connection.execute("SELECT 1 / %s", (0,)), connection.execute("SELECT 3")
        fails(pipe.sync)
        connection.execute("SELECT 4")
fails(pipeline_with_an_error)
connection.execute("CREATE TEMPORARY TABLE c (n int PRIMARY KEY, t text)")
connection.cursor().executemany("INSERT INTO c VALUES (%s, %s) RETURNING n", [(n, "m") for n in range(30)], returning=True)
with connection.cursor().copy("COPY c FROM STDIN") as copy:
    for n in range(100, 200):
        copy.write_row((n, f"row {n}"))
with connection.cursor().copy("COPY c FROM STDIN (FORMAT binary)") as copy:
    copy.set_types(["int4", "text"])
    for n in range(200, 230):
        copy.write_row((n, None))
def given_up():
    with connection.cursor().copy("COPY c FROM STDIN") as copy:
        copy.write_row((300, "x"))
        raise ValueError
def bad_data():
    with connection.cursor().copy("COPY c FROM STDIN") as copy:
        copy.write("301\ta\nnot a number\tb\n")
fails(given_up)
fails(bad_data)
with connection.cursor().copy("COPY (SELECT * FROM c ORDER BY n) TO STDOUT") as copy:
    list(copy)
with connection.transaction():
    with connection.cursor("named") as cursor:
        cursor.itersize = 20
        list(cursor.execute("SELECT n FROM c ORDER BY 1"))
fails(connection.execute, "SELECT * FROM nowhere")
fails(connection.execute, "SELECT 1; SELECT %s", (2,))
psycopg.ClientCursor(connection).execute("SELECT 1; SELECT 2, 3; VALUES ('a'), ('b')")
list(connection.cursor().stream("SELECT n FROM generate_series(1, 20) n"))
connection.execute("DO $$ BEGIN RAISE WARNING 'careful'; END $$")
connection.execute("LISTEN channel")
connection.execute("NOTIFY channel, 'payload'")
list(connection.notifies(timeout=5, stop_after=1))
connection.execute("SELECT length(%s)", ("x" * 3000,))
connection.close()
assert len(failing) >= 5, failing
"""

ASYNCPG = r"""
import asyncio, io, asyncpg
async def main():
    connection = await asyncpg.connect()
    await connection.fetchrow("SELECT $1::int, $2::text, $3::int[]", 1, "Zoë", [1, 2])
    statement = await connection.prepare("SELECT $1::int + 1")
    for n in range(6):
        await statement.fetchval(n)
    async with connection.transaction():
        async for _ in connection.cursor("SELECT n FROM generate_series(1, 60) n", prefetch=25):
            pass
        cursor = await connection.cursor("SELECT n FROM generate_series(1, 60) n")
        await cursor.fetch(2), await cursor.forward(5), await cursor.fetchrow()
    await connection.execute("CREATE TEMPORARY TABLE c (n int PRIMARY KEY, t text)")
    await connection.executemany("INSERT INTO c VALUES ($1, $2)", [(n, f"t{n}") for n in range(120)])
    try:
        await connection.executemany("INSERT INTO c VALUES ($1, $2)", [(n, "x") for n in (900, 1, 901)])
    except asyncpg.PostgresError:
        pass
    await connection.copy_records_to_table("c", records=[(n, f"t{n}") for n in range(200, 300)])
    await connection.copy_from_query("SELECT * FROM c WHERE n < $1 ORDER BY n", 30, output=io.BytesIO())
    await connection.execute("SELECT 1; SELECT 2; SELECT 3")
    for sql in ("SELECT * FROM nowhere", "SELEC", "SELECT 1 / 0"):
        try:
            await connection.fetch(sql)
        except asyncpg.PostgresError:
            pass
    heard = asyncio.Future()
    await connection.add_listener("news", lambda *a: heard.done() or heard.set_result(a))
    await connection.execute("NOTIFY news, 'read all about it'")
    await asyncio.wait_for(heard, 5)
    await connection.execute("DROP TABLE IF EXISTS nowhere")
    await connection.reset()
    await connection.close()
asyncio.run(main())
"""

NODE = r"""
const { Client } = require('pg');
const Cursor = require('pg-cursor');
const copy = require('pg-copy-streams');
const { pipeline } = require('stream/promises');
const { Readable } = require('stream');
(async () => {
  const c = new Client({ ssl: false });
  await c.connect();
  await c.query('SELECT $1::int AS a, $2::text AS b, $3::bytea AS d', [1, 'Zoë', Buffer.from([0, 255])]);
  for (let n = 1; n < 6; n++) await c.query({ name: 'one', text: 'SELECT $1::int * 2', values: [n] });
  await c.query('SELECT 1 AS a; SELECT 2 AS b; SELECT 3 WHERE false');
  await c.query('');
  await c.query({ text: '', values: [], queryMode: 'extended' });
  await Promise.allSettled([c.query('SELECT 1'), c.query('SELECT 1 / $1::int', [0]), c.query('SELECT 3')]);
  const cursor = c.query(new Cursor('SELECT n FROM generate_series(1, 50) n'));
  await cursor.read(3); await cursor.read(20);
  await cursor.close();
  await c.query('CREATE TEMPORARY TABLE c (n int PRIMARY KEY, t text)');
  const lines = Array.from({ length: 200 }, (_, n) => `${n}\ttext ${n}\n`);
  await pipeline(Readable.from(lines), c.query(copy.from('COPY c FROM STDIN')));
  for await (const _ of c.query(copy.to('COPY c TO STDOUT')));
  await pipeline(Readable.from(['x\ty\n']), c.query(copy.from('COPY c FROM STDIN'))).catch(() => 0);
  for (const sql of ['SELECT * FROM nowhere', 'SELEC 1', 'INSERT INTO c VALUES (1, 1)']) await c.query(sql).catch(() => 0);
  await c.query('BEGIN'); await c.query('SELECT 1 / 0').catch(() => 0);
  await c.query('SELECT $1::int', [1]).catch(() => 0); await c.query('COMMIT');
  const heard = new Promise((done) => c.on('notification', done));
  await c.query('DROP TABLE IF EXISTS nowhere'); await c.query('LISTEN news'); await c.query("NOTIFY news, 'hello'");
  await heard;
  await c.end();
})().catch((e) => { console.error(e); process.exit(1); });
"""

PGJDBC = r"""
import java.io.*;
import java.sql.*;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

public class Capture {
    static void failing(Connection c, String sql) {
        try (Statement s = c.createStatement()) { s.execute(sql); } catch (SQLException e) { /* meant to */ }
    }
    public static void main(String[] arguments) throws Exception {
        Map<String, String> env = System.getenv();
        Properties p = new Properties();
        p.setProperty("user", env.get("PGUSER"));
        p.setProperty("password", env.get("PGPASSWORD"));
        p.setProperty("sslmode", "prefer");
        p.setProperty("gssEncMode", "disable");
        Connection c = DriverManager.getConnection(
            "jdbc:postgresql://127.0.0.1:" + env.get("PGPORT") + "/" + env.get("PGDATABASE"), p);
        try (Statement s = c.createStatement()) {
            s.execute("SELECT 1; SELECT 2, 'b'; SELECT 3 WHERE false");
            s.execute("CREATE TEMPORARY TABLE c (n int PRIMARY KEY, t text)");
        }
        try (PreparedStatement s = c.prepareStatement("SELECT ?::int + 1, ?::text")) {
            for (int n = 0; n < 10; n++) { s.setInt(1, n); s.setString(2, "it's"); s.executeQuery().next(); }
        }
        c.setAutoCommit(false);
        try (PreparedStatement s = c.prepareStatement("SELECT n FROM generate_series(1, 60) n")) {
            s.setFetchSize(25);
            ResultSet r = s.executeQuery(); while (r.next()) r.getInt(1);
            s.setMaxRows(7); r = s.executeQuery(); while (r.next()) r.getInt(1);
        }
        c.commit();
        try (PreparedStatement s = c.prepareStatement("INSERT INTO c VALUES (?, ?)")) {
            for (int n = 0; n < 60; n++) { s.setInt(1, n); s.setString(2, "batch " + n); s.addBatch(); }
            s.executeBatch(); c.commit();
            for (int n : new int[] {900, 1, 901}) { s.setInt(1, n); s.setString(2, "x"); s.addBatch(); }
            s.executeBatch();
        } catch (BatchUpdateException e) { /* meant to */ }
        failing(c, "SELECT 1");
        c.rollback();
        Savepoint point = c.setSavepoint();
        failing(c, "SELECT * FROM nowhere");
        c.rollback(point);
        c.commit();
        c.setAutoCommit(true);
        CopyManager copy = c.unwrap(PGConnection.class).getCopyAPI();
        StringBuilder text = new StringBuilder();
        for (int n = 100; n < 200; n++) text.append(n).append("\ttext\n");
        copy.copyIn("COPY c FROM STDIN", new StringReader(text.toString()));
        copy.copyOut("COPY (SELECT * FROM c WHERE n < 20) TO STDOUT", new ByteArrayOutputStream());
        try { copy.copyIn("COPY c FROM STDIN", new StringReader("x\ty\n")); } catch (SQLException e) { /* meant to */ }
        failing(c, "DROP TABLE IF EXISTS nowhere");
        failing(c, "LISTEN news"); failing(c, "NOTIFY news, 'hello'");
        c.close();
    }
}
"""

PGBENCH = r"""
\set n random(1, 1000)
SELECT :n + 1;
BEGIN;
SELECT first_name FROM employee WHERE employee_no = :n;
\startpipeline
SELECT :n * 2;
SELECT email FROM employee WHERE employee_no = :n;
SELECT 3;
\endpipeline
END;
"""


def said(tag, body=b""):
    """One message of a client."""
    return tag.encode() + struct.pack("!I", len(body) + 4) + body


def parse(text, name=""):
    return said("P", f"{name}\0{text}\0".encode() + b"\0\0")


def bind(portal="", name="", *values):
    sent = b"".join(struct.pack("!I", len(value)) + value for value in values)
    return said("B", f"{portal}\0{name}\0".encode() + struct.pack("!HH", 0, len(values)) + sent + b"\0\0")


def about(tag, kind, name=""):
    return said(tag, f"{kind}{name}\0".encode())


def execute(portal="", rows=0):
    return said("E", portal.encode() + b"\0" + struct.pack("!I", rows))


def query(text):
    return said("Q", text.encode() + b"\0")


def odd():
    """What is allowed and what no library does: each is sent at once, and is over after so many ReadyForQuery."""
    sync, flush, one = said("S"), said("H"), parse("SELECT 1") + bind() + execute()
    series = parse("SELECT n FROM generate_series(1, 5) n", "s") + bind("p", "s")
    copy = parse("COPY c FROM STDIN") + bind() + execute()
    return [
        (sync + sync + flush + sync, 3),
        (one + about("D", "P") + flush + one + sync, 1),
        (query("CREATE TEMPORARY TABLE c (n int PRIMARY KEY)"), 1),
        # Errors of every kind of message, with more of the kind behind them.
        (parse("SELEC") + one + sync + one + sync, 2),
        (bind("", "nowhere") + execute() + sync, 1),
        (execute("nowhere") + about("C", "P") + sync, 1),
        (about("D", "S", "nowhere") + flush + one + sync, 1),
        (about("D", "P", "nowhere") + one + sync, 1),
        (about("C", "S", "nowhere") + about("C", "P", "nowhere") + sync, 1),
        (parse("SELECT 1", "twice") + parse("SELECT 2", "twice") + one + sync + about("C", "S", "twice") + sync, 2),
        (parse("SELECT $1::int") + bind("", "", b"no number") + execute() + sync, 1),
        (parse("SELECT 1 / (3 - n) FROM generate_series(1, 5) n") + bind() + execute() + one + sync, 1),
        # A Query within a block: ignored once the block has failed.
        (parse("SELEC") + query("SELECT 1") + sync, 1),
        (one + query("SELECT 2") + one + sync, 2),
        # Texts without a statement, and without rows.
        (parse("") + bind() + about("D", "P") + execute() + sync, 1),
        (parse("-- nothing") + about("D", "S") + bind() + execute() + sync + query("") + query(" ;; "), 3),
        (parse("SET DateStyle = 'German'") + bind() + about("D", "P") + execute() + sync, 1),
        # Portals in pieces, used up, and again behind their end.
        (series + execute("p", 2) + execute("p", 2) + about("D", "P", "p") + execute("p", 2) + execute("p", 2) + sync, 1),
        (bind("", "s") + execute("", 5) + execute("", 0) + sync + about("C", "S", "s") + sync, 2),
        # A transaction that fails, and what may be said in one.
        (query("BEGIN") + query("SELECT 1 / 0") + query("SELECT 1") + one + sync + query("ROLLBACK"), 5),
        (parse("BEGIN") + bind() + execute() + one + sync + parse("COMMIT") + bind() + execute() + sync, 2),
        # An error that only the Sync brings to light.
        (query("CREATE TEMPORARY TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)"), 1),
        (parse("INSERT INTO late VALUES (1), (1)") + bind() + execute() + sync + one + sync, 2),
        # COPY: the data behind it at once, Syncs that the server ignores, given up, refused before it begins.
        (copy + sync + said("d", b"1\n2\n") + said("c") + sync, 1),
        (copy + sync + sync + said("d", b"3\n") + said("d", b"4\n") + said("c") + sync, 1),
        (copy + said("d", b"5\n") + said("c") + sync, 1),
        (copy + flush + said("d", b"6\n") + said("c") + one + sync, 1),
        (copy + sync + said("d", b"1\n") + said("c") + sync, 1),
        (copy + sync + said("f", b"a change of mind\0") + sync, 1),
        (query("COPY c FROM STDIN") + said("d", b"7\n") + said("c") + query("COPY c FROM STDIN") + said("f", b"no\0"), 2),
        (query("COPY nowhere FROM STDIN") + said("d", b"8\n") + said("c") + query("SELECT 1"), 2),
        (query("SELECT 1; COPY c FROM STDIN; SELECT 2") + said("d", b"9\n") + said("c"), 1),
        (parse("COPY c TO STDOUT") + bind() + about("D", "P") + execute() + one + sync, 1),
        (query("COPY c TO STDOUT; COPY c TO STDOUT; COPY nowhere TO STDOUT"), 1),
        # Data that nobody asked for is ignored.
        (said("d", b"10\n") + said("c") + one + sync + said("f", b"\0") + query("SELECT 1"), 2),
        (said("X"), 0),
    ]


def speak_oddly(port, secret):
    """A client that is none: says all of `odd` and waits for the end of each."""
    connection = laboratory.log_in(port, USER, secret)
    for words, ready in odd():
        connection.sendall(words)
        while ready:
            kind = laboratory.message(connection)[0]
            ready -= kind == b"Z"
    connection.close()


def programs(lab):
    """How each client is started."""
    python = os.path.join(ROOT, ".cache", "python", "bin", "python")
    pgbench = os.path.join(laboratory.postgres_bin(), "pgbench")
    psql_file, bench_file = lab.write("capture.sql", PSQL), lab.write("bench.sql", PGBENCH)
    java_file = lab.write("Capture.java", PGJDBC)
    return {
        "asyncpg": [python, "-c", ASYNCPG],
        "odd": speak_oddly,
        "node_postgres": ["node", "-e", NODE],
        "pgbench": [pgbench, "-n", "-M", "prepared", "-c", "1", "-t", "12", "--random-seed=1", "-f", bench_file],
        "pgjdbc": ["java", "-Xshare:auto", "-cp", "/usr/share/java/postgresql.jar", java_file],
        "psql": ["psql", "-X", "-q", "-f", psql_file],
        "psycopg2": [python, "-c", PSYCOPG2],
        "psycopg3": [python, "-c", PSYCOPG3],
    }


def keep(name, forwarder, secret):
    """Writes both sides of a client's main connection."""
    for side, data in forwarder.main_connection().items():
        if len(data) > LARGEST_BYTES or secret.encode() in data:
            sys.exit(f"{name}: the {side} capture is too large ({len(data)} bytes) or holds the password")
        with open(os.path.join(HERE, f"{name}.{side}.bin"), "wb") as file:
            file.write(data)
        print(f"{name}.{side}.bin: {len(data)} bytes")


def main():
    """Records the clients named on the command line, or all."""
    with laboratory.Lab() as lab:
        lab.start_postgres()
        secret = lab.passwords[USER]
        for name, command in programs(lab).items():
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            forwarder = Forwarder(lab.pg_port)
            if callable(command):
                command(forwarder.port, secret)
                keep(name, forwarder, secret)
                continue
            environment = {**os.environ, **lab.libpq(forwarder.port, USER, secret), "PGSSLMODE": "prefer",
                           "PGAPPNAME": "capture", "NODE_PATH": os.path.join(ROOT, ".cache", "node", "node_modules")}
            del environment["PGSSLROOTCERT"]
            subprocess.run(command, env=environment, cwd=lab.dir, check=True, stdout=subprocess.DEVNULL, timeout=120)
            keep(name, forwarder, secret)


if __name__ == "__main__":
    main()
