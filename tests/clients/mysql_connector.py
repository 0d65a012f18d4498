"""mysql-connector-python, pure or with its C extension (argument `pure` or `c`): the common scenarios, the binary protocol."""

import sys

import mysql.connector

from mysql_dbapi import CA, COMMON, DATABASE, HOST, PASSWORD, PORT, USER, all_of, fails, kill_of_ones_own
from transcript import run, show

PURE = sys.argv.pop(1) == "pure"


def connect(**options):
    return mysql.connector.connect(host=HOST, port=PORT, user=USER, password=PASSWORD, database=DATABASE, use_pure=PURE,
                                   charset="utf8mb4", collation="utf8mb4_unicode_ci", ssl_ca=CA, ssl_verify_cert=True, **options)


def prepared(connection):
    cursor = connection.cursor(prepared=True)
    for number in range(1, 6):
        cursor.execute("SELECT employee_no, first_name, birth_date, email FROM employee WHERE employee_no = %s", (number,))
        show(cursor.fetchall())
    cursor.execute("SELECT %s, %s, %s, %s", (1, "Zoë", b"\x00\xff", None))
    show(cursor.fetchall())
    cursor.execute("SELECT LENGTH(%s)", ("x" * (2 ** 24 + 10),))
    show(cursor.fetchall())
    cursor.execute("INSERT INTO department VALUES (%s, %s)", ("p001", "Prepared"))
    show(cursor.rowcount)
    connection.rollback()
    try:
        cursor.execute("SELECT * FROM nowhere WHERE n = %s", (1,))
    except mysql.connector.Error as error:
        show(error.errno, error.sqlstate, error.msg)
    cursor.close()


def every_type_in_binary(connection):
    cursor = connection.cursor(prepared=True)
    cursor.execute("""SELECT -1, 255, 18446744073709551615, 1.5e0, CAST(2.5 AS decimal(10, 3)), DATE '2026-01-02', TIME '-10:11:12.5',
        TIMESTAMP '2026-01-02 03:04:05.678', 'text', X'0001', NULL, employee_no, hired_on FROM employee WHERE employee_no < %s""", (3,))
    for row in cursor.fetchall():
        show([bytes(value) if isinstance(value, bytearray) else value for value in row])
    show([column[:2] for column in cursor.description])


def reset(connection):
    cursor = connection.cursor()
    cursor.execute("SET @mine = 1, SESSION sql_mode = 'ANSI'")
    cursor.execute("CREATE TEMPORARY TABLE mine (n int)")
    connection.cmd_reset_connection()
    show(all_of(connection.cursor(), "SELECT @mine, @@sql_mode, DATABASE()"))
    fails(connection.cursor(), "SELECT * FROM mine")


def several_statements(connection):
    cursor = connection.cursor()
    cursor.execute("SELECT 1; SELECT 2, 3; SET @x = 4; SELECT @x FROM department LIMIT 2")
    show(cursor.fetchall())
    while cursor.nextset():
        if cursor.description:
            show(cursor.fetchall())


def procedure(connection):
    cursor = connection.cursor()
    cursor.execute("DROP PROCEDURE IF EXISTS twice")
    cursor.execute("CREATE PROCEDURE twice(IN a int, OUT b int) BEGIN SELECT a; SET b = a * 2; END")
    show(cursor.callproc("twice", (4, 0)), [result.fetchall() for result in cursor.stored_results()])
    cursor.execute("DROP PROCEDURE twice")


def the_session(connection):
    connection.ping()
    connection.cmd_init_db("information_schema")
    show(all_of(connection.cursor(), "SELECT DATABASE()"), "Uptime" in str(connection.cmd_statistics()))
    show(connection.in_transaction, connection.autocommit, connection.charset, connection.python_charset)


def change_of_user(connection):
    connection.cursor().execute("SET @mine = 1")
    connection.cmd_change_user(USER, PASSWORD, DATABASE)
    show(all_of(connection.cursor(), "SELECT @mine, DATABASE(), @@collation_connection"))


def kill(_):
    kill_of_ones_own(connect, lambda connection: connection.connection_id)


run(COMMON + [prepared, every_type_in_binary, reset, several_statements, procedure, the_session, change_of_user, kill], connect,
    close=lambda connection: connection.close())
