#!/usr/bin/env python3
"""A client that uses what real ones rarely do: raw.py PORT FLAGS (hexadecimal), as root without a password."""
import socket
import struct
import sys

port, flags = int(sys.argv[1]), int(sys.argv[2], 16)
c = socket.create_connection(("127.0.0.1", port))


def packet():
    def exactly(n):
        data = b""
        while len(data) < n:
            more = c.recv(n - len(data))
            if not more:
                sys.exit("closed")
            data += more
        return data
    head = exactly(4)
    return exactly(int.from_bytes(head[:3], "little"))


def send(payload, seq=0):
    c.sendall(struct.pack("<I", len(payload))[:3] + bytes([seq]) + payload)


def drain():
    """Takes whatever comes until the server is silent."""
    c.settimeout(0.15)
    got = []
    try:
        while True:
            got.append(packet())
    except TimeoutError:
        pass
    c.settimeout(None)
    return got


packet()
send(struct.pack("<IIB23x", flags & 0xFFFFFFFF, 1 << 30, 45) + b"root\0" + b"\0" + b"lab\0" + b"caching_sha2_password\0", 1)
drain()


def ask(payload):
    send(payload)
    return drain()


def prepare(text):
    return ask(b"\x16" + text)[0][1:5]


def execute(statement, flags, parameters):
    ask(b"\x17" + statement + bytes([flags]) + b"\x01\0\0\0" + parameters)


def fetch(statement, rows):
    ask(b"\x1c" + statement + struct.pack("<I", rows))


def query(text):
    ask(b"\x03" + (b"\0\1" if flags & 1 << 27 else b"") + text)


query(b"select id, name from t where id < 3")
query(b"set session_track_system_variables='*', session_track_state_change=on")
query(b"set names latin1")
ask(b"\x02mysql")
ask(b"\x02lab")
SELECT = b"select id, name from t where id < ?"
one = prepare(SELECT)
two = prepare(SELECT)
# A cursor with the type bound, then without it. A statement that ran with a cursor is never run without one: MySQL 9.7
# then breaks its own protocol.
if flags & 1 << 27:
    execute(one, 9, b"\x01\0\x01\x08\0\0" + struct.pack("<q", 9))
    fetch(one, 2)
    fetch(one, 100)
    execute(two, 8, b"\x02\0\x01\x08\0\0\xfe\0\x01n" + struct.pack("<q", 3) + b"\x01v")
    execute(two, 0, b"\x01\0\x01\x08\0\0" + struct.pack("<q", 2))
else:
    execute(one, 1, b"\0\x01\x08\0" + struct.pack("<q", 9))
    fetch(one, 2)
    fetch(one, 100)
    execute(two, 0, b"\0\x01\x08\0" + struct.pack("<q", 3))
    execute(two, 0, b"\0\0" + struct.pack("<q", 2))
execute(prepare(b"call p()"), 0, b"")
insert = prepare(b"insert into t(b) values(?)")
ask(b"\x18" + insert + b"\0\0" + b"piece")
ask(b"\x1a" + insert)
ask(b"\x1b\0\0")
ask(b"\x04t\0")
ask(b"\x09")
if flags & 1 << 25:
    query(b"set resultset_metadata=none")
    query(b"select id, name from t where id < 3")
    three = prepare(SELECT)
    execute(three, 8, b"\x01\0\x01\x08\0\0" + struct.pack("<q", 9))
    execute(three, 9, b"\x01\0\x01\x08\0\0" + struct.pack("<q", 9))
    fetch(three, 2)
ask(b"\x1f")
send(b"\x01")
