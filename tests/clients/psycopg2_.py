"""psycopg 2 (libpq): the simple protocol, as most of the Python world still speaks it."""

import io

import psycopg2
import psycopg2.extras

from transcript import run, show


def values(connection):
    cursor = connection.cursor()
    cursor.execute("SELECT %s, %s, %s, %s", (1, "O'Neill \\ back", None, [1, 2]))
    show(cursor.fetchone())


def execute_values(connection):
    cursor = connection.cursor()
    rows = [(f"v{n:03}", f"value {n}") for n in range(300)]
    got = psycopg2.extras.execute_values(cursor, "INSERT INTO department VALUES %s RETURNING department_no", rows, fetch=True)
    show(len(got), cursor.rowcount)
    connection.rollback()


def execute_batch(connection):
    cursor = connection.cursor()
    psycopg2.extras.execute_batch(cursor, "UPDATE department SET name = name || %s WHERE department_no = %s",
                                  [("!", "d001"), ("?", "d002")])
    cursor.execute("SELECT name FROM department WHERE department_no < 'd003' ORDER BY 1")
    show(cursor.fetchall())
    connection.rollback()


def named_cursor(connection):
    cursor = connection.cursor("mine", scrollable=True)
    cursor.itersize = 500
    cursor.execute("SELECT employee_no FROM employee ORDER BY 1")
    show(cursor.fetchmany(3), sum(row[0] for row in cursor))


def copy(connection):
    cursor = connection.cursor()
    cursor.execute("CREATE TEMPORARY TABLE c (a int, b text)")
    cursor.copy_expert("COPY c FROM STDIN", io.StringIO("".join(f"{n}\ttext {n}\n" for n in range(10000))))
    out = io.StringIO()
    cursor.copy_expert("COPY (SELECT * FROM c WHERE a % 1000 = 0 ORDER BY a) TO STDOUT (FORMAT csv)", out)
    show(out.getvalue())


def failed_transaction(connection):
    cursor = connection.cursor()
    for sql in ("SELECT 1", "SELECT nope", "SELECT 2"):
        try:
            cursor.execute(sql)
            show(cursor.fetchone())
        except psycopg2.Error as error:
            show(error.pgcode, error.pgerror)
    connection.rollback()
    cursor.execute("SELECT 'usable'")
    show(cursor.fetchone())


def isolation_and_autocommit(connection):
    connection.set_session(isolation_level="SERIALIZABLE", readonly=True)
    cursor = connection.cursor()
    cursor.execute("SHOW transaction_isolation")
    show(cursor.fetchone())
    try:
        cursor.execute("INSERT INTO department VALUES ('zzzz', 'no')")
    except psycopg2.Error as error:
        show(error.pgcode)
    connection.rollback()
    connection.set_session(readonly=False, autocommit=True)
    cursor.execute("SELECT count(*) FROM department")
    show(cursor.fetchone())


def notices(connection):
    connection.cursor().execute("DROP TABLE IF EXISTS nowhere")
    show(connection.notices)


run([values, execute_values, execute_batch, named_cursor, copy, failed_transaction, isolation_and_autocommit, notices],
    lambda: psycopg2.connect(""), close=lambda connection: connection.close())
