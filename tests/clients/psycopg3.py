"""psycopg 3 (libpq): extended protocol, pipelines, server-side cursors, COPY, cancel, NOTIFY.

Prints what it sees; the same on every run and, so it is meant, with and without the gateway between.
"""

import threading
import time

import psycopg
from psycopg.rows import dict_row

from transcript import run, show


def connect(**options):
    return psycopg.connect(**options)


def parameters_and_types(connection):
    row = connection.execute(
        "SELECT %s::int, %s::text, %s::numeric, %s::bytea, %s::int[], %s::jsonb, %s::timestamptz, %s::uuid",
        (7, "Zoë", "1.50", b"\x00\xff", [1, None], '{"a": 1}', "2026-01-01T00:00:00Z",
         "00000000-0000-0000-0000-000000000001")).fetchone()
    show(row[:6], row[6].timestamp(), row[7])


def binary_results(connection):
    cursor = connection.cursor(binary=True)
    show(cursor.execute("SELECT employee_no, hired_on, email FROM employee ORDER BY 1 LIMIT 3").fetchall())


def prepared_statements(connection):
    for number in range(1, 12):
        cursor = connection.execute("SELECT first_name FROM employee WHERE employee_no = %s", (number,), prepare=True)
        show(cursor.fetchone())
    show(connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()[0] > 0)


def pipeline(connection):
    with connection.pipeline():
        first = connection.execute("SELECT 1 AS a")
        second = connection.execute("SELECT %s::text AS b", ("x",))
        third = connection.execute("SELECT name FROM department ORDER BY 1")
        show(first.fetchall(), second.fetchall(), len(third.fetchall()))


def pipeline_with_an_error(connection):
    connection.autocommit = True
    # psycopg reads answers while it sends: where the error is raised is a matter of time, that it is raised is not.
    try:
        with connection.pipeline():
            connection.execute("SELECT 1")
            connection.execute("SELECT 1 / %s", (0,))
            connection.execute("SELECT 3")
    except psycopg.Error as error:
        show(type(error).__name__, error.sqlstate)
    show(connection.execute("SELECT 'usable'").fetchone())


def many_statements_in_a_pipeline(connection):
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::int * 2", (n,)) for n in range(500)]
        show(sum(cursor.fetchone()[0] for cursor in cursors))


def executemany(connection):
    with connection.transaction(force_rollback=True):
        cursor = connection.cursor()
        cursor.executemany("INSERT INTO department VALUES (%s, %s) RETURNING name",
                           [(f"x{n:03}", f"many {n}") for n in range(50)], returning=True)
        names = [cursor.fetchone()[0]]
        while cursor.nextset():
            names.append(cursor.fetchone()[0])
        show(len(names), names[0], names[-1])


def server_side_cursor(connection):
    with connection.transaction():
        with connection.cursor("named") as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT employee_no FROM employee ORDER BY 1")
            show(sum(row[0] for row in cursor))


def copy_both_ways(connection):
    with connection.transaction(force_rollback=True):
        connection.execute("CREATE TEMPORARY TABLE copied (n int, t text) ON COMMIT DROP")
        with connection.cursor().copy("COPY copied FROM STDIN") as copy:
            for n in range(5000):
                copy.write_row((n, f"row {n}"))
        with connection.cursor().copy("COPY copied FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            for n in range(100):
                copy.write_row((n, None))
        show(connection.execute("SELECT count(*), count(t) FROM copied").fetchone())
        size = 0
        with connection.cursor().copy("COPY (SELECT * FROM copied ORDER BY n) TO STDOUT") as copy:
            for block in copy:
                size += len(block)
        show(size)


def copy_given_up(connection):
    connection.execute("CREATE TEMPORARY TABLE given_up (n int)")
    try:
        with connection.cursor().copy("COPY given_up FROM STDIN") as copy:
            copy.write_row((1,))
            raise ValueError("the client changes its mind")
    except ValueError as error:
        show(error)
    connection.rollback()
    show(connection.execute("SELECT 'usable'").fetchone())


def copy_with_bad_data(connection):
    connection.execute("CREATE TEMPORARY TABLE bad (n int)")
    try:
        with connection.cursor().copy("COPY bad FROM STDIN") as copy:
            copy.write("1\nnot a number\n3\n")
    except psycopg.Error as error:
        show(type(error).__name__, error.sqlstate, error.diag.message_primary, error.diag.context)
    connection.rollback()


def cancel(connection):
    threading.Timer(0.5, connection.cancel).start()
    began = time.monotonic()
    try:
        connection.execute("SELECT count(pg_sleep(0.01)) FROM employee")
    except psycopg.Error as error:
        show(type(error).__name__, error.sqlstate, error.diag.message_primary, time.monotonic() - began < 5)
    connection.rollback()
    show(connection.execute("SELECT 'usable'").fetchone())


def cancel_over_tls(connection):
    # Unlike `cancel`, it waits until the server has closed, and takes it ill if that was not by TLS's own word.
    told = []

    def ask():
        try:
            connection.cancel_safe(timeout=5)
            told.append("asked")
        except psycopg.Error as error:
            told.append(str(error))

    asking = threading.Timer(0.5, ask)
    asking.start()
    try:
        connection.execute("SELECT count(pg_sleep(0.01)) FROM employee")
    except psycopg.Error as error:
        show(type(error).__name__, error.sqlstate)
    asking.join()
    show(told)


def a_search_path_and_an_encoding_at_startup(connection):
    # What libpq asks for where the locale is C. psycopg leaves text as bytes then.
    with connect(options="-c search_path=public,pg_catalog", client_encoding="SQL_ASCII") as other:
        show(other.execute("SHOW search_path").fetchone(), other.info.parameter_status("client_encoding"))
        show(other.execute(b"SELECT 'Zo\xc3\xab', count(*) FROM department").fetchone())


def errors_in_a_transaction(connection):
    try:
        connection.execute("SELECT * FROM nowhere")
    except psycopg.Error as error:
        show(error.sqlstate, error.diag.message_primary, error.diag.statement_position)
    show(connection.info.transaction_status.name)
    try:
        connection.execute("SELECT 1")
    except psycopg.Error as error:
        show(error.sqlstate)
    connection.rollback()
    show(connection.info.transaction_status.name)
    with connection.transaction():
        try:
            with connection.transaction():
                connection.execute("SELECT 1 / 0")
        except psycopg.Error as error:
            show(error.sqlstate)
        show(connection.execute("SELECT 'after the savepoint'").fetchone())


def notices_and_notifications(connection):
    connection.autocommit = True
    connection.add_notice_handler(lambda d: show("notice", d.severity, d.sqlstate, d.message_primary))
    connection.execute("DROP TABLE IF EXISTS nowhere")
    connection.execute("DO $$ BEGIN RAISE WARNING 'careful'; END $$")
    connection.execute("LISTEN channel")
    connection.execute("NOTIFY channel, 'payload'")
    for notification in connection.notifies(timeout=5, stop_after=1):
        show(notification.channel, notification.payload)


def fifty_thousand_rows(connection):
    cursor = connection.execute("SELECT n, md5(n::text) FROM generate_series(1, 50000) n")
    rows = cursor.fetchall()
    show(len(rows), rows[0], rows[-1])
    show(sum(1 for _ in connection.cursor().stream("SELECT n, repeat('x', 100) FROM generate_series(1, 50000) n")))


def several_statements_without_parameters(connection):
    cursor = psycopg.ClientCursor(connection)
    cursor.execute("SELECT 1; SELECT 2, 3; VALUES ('a'), ('b')")
    show(cursor.fetchall())
    while cursor.nextset():
        show(cursor.fetchall())
    try:
        connection.execute("SELECT 1; SELECT %s", (2,))
    except psycopg.Error as error:
        show(error.sqlstate, error.diag.message_primary)
    connection.rollback()


def describe(connection):
    cursor = connection.execute("SELECT employee_no, email, hired_on FROM employee LIMIT 0")
    show([(column.name, column.type_code, column.internal_size) for column in cursor.description])
    show(connection.cursor(row_factory=dict_row).execute("SELECT 1 AS a, 2 AS b").fetchone())


def parameters_of_the_session(connection):
    names = ["server_version", "server_encoding", "client_encoding", "DateStyle", "IntervalStyle", "TimeZone",
             "integer_datetimes", "standard_conforming_strings", "in_hot_standby", "default_transaction_read_only"]
    show({name: connection.info.parameter_status(name) for name in names})
    connection.execute("SET TimeZone = 'Asia/Tokyo'")
    show(connection.info.parameter_status("TimeZone"))
    connection.rollback()
    show(connection.info.parameter_status("TimeZone"))


def a_parameter_of_three_megabytes(connection):
    show(connection.execute("SELECT length(%s)", ("x" * 3_000_000,)).fetchone())


run([parameters_and_types, binary_results, prepared_statements, pipeline, pipeline_with_an_error,
     many_statements_in_a_pipeline, executemany, server_side_cursor, copy_both_ways, copy_given_up,
     copy_with_bad_data, cancel, cancel_over_tls, a_search_path_and_an_encoding_at_startup, errors_in_a_transaction, notices_and_notifications, fifty_thousand_rows,
     several_statements_without_parameters, describe, parameters_of_the_session, a_parameter_of_three_megabytes], connect,
    close=lambda connection: connection.close())
