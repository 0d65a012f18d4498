#!/usr/bin/env python3
"""Records what a MySQL client and a server say to each other, without TLS and compression.

    capture.py LISTEN_PORT SERVER_PORT OUTPUT

Takes one connection and writes a line for each piece that arrived: `C` (client) or `S` (server) and its bytes in
hexadecimal. The servers were throw-away ones on this machine; their accounts and nonces are of no use anywhere else.

mysql97.txt            mysql 9.7 and its server           statements of many kinds, query attributes, RESET_CONNECTION
mariadb.txt            mariadb 10.11 and its server       the same statements
pymysql.txt            PyMySQL and MySQL 9.7              RSA, no DEPRECATE_EOF, several statements at once
connector.txt          mysql-connector-python and 9.7     prepared statements, CHANGE_USER, PROCESS_KILL
connector_mariadb.txt  the same and MariaDB 10.11
raw_modern.txt         raw.py 0xbafa20d and 9.7           cursors, attributes of executions, session tracking, no metadata
raw_eof.txt            raw.py 0xa2fa20d and 9.7           the same without DEPRECATE_EOF
raw_plain.txt          raw.py 0x8820d and 9.7             as little as possible
"""
import socket
import sys
import threading

listen, server, output = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
lock = threading.Lock()


def pump(source, sink, mark, out):
    while data := source.recv(65536):
        with lock:
            out.write(f"{mark} {data.hex()}\n")
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)


with socket.create_server(("127.0.0.1", listen)) as door, open(output, "w", encoding="ascii") as out:
    client, _ = door.accept()
    upstream = socket.create_connection(("127.0.0.1", server))
    other = threading.Thread(target=pump, args=(upstream, client, "S", out))
    other.start()
    try:
        pump(client, upstream, "C", out)
    except OSError:
        pass
    other.join()
