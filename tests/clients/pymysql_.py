"""PyMySQL (pure Python): the common scenarios, several statements, streams, switches of the session."""

import pymysql
import pymysql.cursors
from pymysql.constants import CLIENT

from mysql_dbapi import CA, COMMON, DATABASE, HOST, PASSWORD, PORT, USER, all_of, fails, kill_of_ones_own
from transcript import run, show


def connect(**options):
    return pymysql.connect(host=HOST, port=PORT, user=USER, password=PASSWORD, **{
        "database": DATABASE, "charset": "utf8mb4", "ssl_ca": CA, "ssl_verify_identity": False, **options})


def several_statements(_):
    connection = connect(client_flag=CLIENT.MULTI_STATEMENTS)
    cursor = connection.cursor()
    cursor.execute("SELECT 1; SELECT 2, 3; SET @x = 4; SELECT @x FROM department LIMIT 2")
    show(cursor.fetchall())
    while cursor.nextset():
        show(cursor.fetchall())
    cursor.execute("SELECT 1; SELECT * FROM nowhere; SELECT 'not reached'")
    show(cursor.fetchall())
    try:
        cursor.nextset()
    except pymysql.Error as error:
        show(*error.args)
    connection.close()
    fails(connect().cursor(), "SELECT 1; SELECT 2")


def unbuffered(connection):
    cursor = connection.cursor(pymysql.cursors.SSCursor)
    cursor.execute("SELECT employee_no, email FROM employee ORDER BY 1")
    show(sum(row[0] for row in cursor))
    cursor.close()
    show(all_of(connection.cursor(pymysql.cursors.DictCursor), "SELECT 1 AS a") != [])


def the_session(connection):
    show(connection.get_server_info().split("-")[0].count("."), connection.server_language, connection.get_proto_info())
    connection.ping(reconnect=False)
    connection.select_db("information_schema")
    show(all_of(connection.cursor(), "SELECT DATABASE()"))
    try:
        connection.select_db("nowhere_at_all")
    except pymysql.Error as error:
        show(*error.args)
    connection.set_character_set("latin1") if hasattr(connection, "set_character_set") else connection.set_charset("latin1")
    show(all_of(connection.cursor(), "SELECT @@character_set_client, @@collation_connection"))


def rows_found(_):
    connection = connect(client_flag=CLIENT.FOUND_ROWS)
    cursor = connection.cursor()
    show(cursor.execute("UPDATE department SET name = name"))
    connection.rollback()
    connection.close()


def without_a_database(_):
    connection = connect(database=None)
    cursor = connection.cursor()
    show(all_of(cursor, "SELECT DATABASE()"))
    fails(cursor, "SELECT COUNT(*) FROM employee")
    show(all_of(cursor, "SELECT COUNT(*) FROM hr_prod.employee"))
    connection.close()


def with_settings_at_the_start(_):
    connection = connect(autocommit=True, init_command="SET SESSION sql_mode = 'TRADITIONAL', @hello = 5", sql_mode=None)
    show(all_of(connection.cursor(), "SELECT @@sql_mode, @hello, @@autocommit"))
    connection.close()


def kill(_):
    kill_of_ones_own(connect, lambda connection: connection.thread_id())


run(COMMON + [several_statements, unbuffered, the_session, rows_found, without_a_database, with_settings_at_the_start, kill], connect,
    close=lambda connection: connection.close())
