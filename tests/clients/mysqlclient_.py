"""mysqlclient (MariaDB's C library): the common scenarios, several statements, change of user, streams."""

import MySQLdb
import MySQLdb.cursors
from MySQLdb.constants import CLIENT

from mysql_dbapi import CA, COMMON, COMPRESSES, DATABASE, HOST, PASSWORD, PORT, USER, all_of, fails, kill_of_ones_own
from transcript import run, show

# It compresses whatever the option says, if it is there.
COMPRESSED = {"compress": True} if COMPRESSES else {}


def connect(**options):
    return MySQLdb.connect(host=HOST, port=PORT, user=USER, password=PASSWORD, database=DATABASE, charset="utf8mb4",
                           ssl={"ca": CA}, **COMPRESSED, **options)


def several_statements(connection):
    cursor = connection.cursor()
    cursor.execute("SELECT 1; SELECT 2, 3; SET @x = 4; SELECT @x FROM department LIMIT 2")
    show(cursor.fetchall())
    while cursor.nextset():
        show(cursor.fetchall())
    connection.set_server_option(1)
    try:
        fails(cursor, "SELECT 1; SELECT 2")
    finally:
        connection.set_server_option(0)


def unbuffered(connection):
    cursor = connection.cursor(MySQLdb.cursors.SSCursor)
    cursor.execute("SELECT employee_no, email FROM employee ORDER BY 1")
    show(sum(row[0] for row in cursor))
    cursor.close()


def the_session(connection):
    show(connection.get_proto_info(), connection.character_set_name(), connection.warning_count(), "Uptime" in connection.stat())
    connection.ping()
    connection.select_db("information_schema")
    show(all_of(connection.cursor(), "SELECT DATABASE()"))


def change_of_user(connection):
    cursor = connection.cursor()
    cursor.execute("SET @mine = 1")
    cursor.execute("CREATE TEMPORARY TABLE mine (n int)")
    connection.change_user(USER, PASSWORD, DATABASE)
    show(all_of(connection.cursor(), "SELECT @mine, DATABASE()"))
    fails(connection.cursor(), "SELECT * FROM mine")
    try:
        connection.change_user(USER, "not the password", DATABASE)
    except MySQLdb.Error as error:
        show(error.args[0])


def found_rows_instead_of_changed_ones(_):
    connection = connect(client_flag=CLIENT.FOUND_ROWS)
    show(connection.cursor().execute("UPDATE department SET name = name"))
    connection.rollback()
    connection.close()


def kill(_):
    kill_of_ones_own(connect, lambda connection: connection.thread_id())


run(COMMON + [several_statements, unbuffered, the_session, change_of_user, found_rows_instead_of_changed_ones, kill], connect,
    close=lambda connection: connection.close())
