"""A PostgreSQL client that logs in and says nothing more: for sessions by the thousand."""

import base64
import hashlib
import hmac
import os
import socket
import struct

from .machine import LabError
from .postgres import DATABASE


def log_in(port, user, password):
    """A client that has logged in with SCRAM-SHA-256, in plain text, and says nothing more."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    parameters = b"".join(text.encode() + b"\0" for text in
                          ("user", user, "database", DATABASE, "client_encoding", "UTF8"))
    start(connection, parameters + b"\0")
    prove(connection, password)
    while True:
        kind, body = message(connection)
        if kind == b"E":
            raise LabError(f"the login was refused: {body}")
        if kind == b"Z":
            return connection


def start(connection, parameters):
    """Asks for a session with these parameters, as the protocol writes them."""
    body = struct.pack("!I", 196608) + parameters
    connection.sendall(struct.pack("!I", len(body) + 4) + body)


def prove(connection, password):
    """Answers the server's question for a proof; what comes next says that it was taken, or an error."""
    nonce = base64.b64encode(os.urandom(18)).decode()
    kind, body = message(connection)
    if kind != b"R" or b"SCRAM-SHA-256" not in body:
        raise LabError(f"no SCRAM there: {kind} {body}")
    first = f"n=,r={nonce}"
    initial = ("n,," + first).encode()
    _tell(connection, b"SCRAM-SHA-256\0" + struct.pack("!I", len(initial)) + initial)
    challenge = message(connection)[1][4:].decode()
    fields = dict(part.split("=", 1) for part in challenge.split(","))
    salted = _salted_password(password, fields["s"], int(fields["i"]))
    without_proof = f"c=biws,r={fields['r']}"
    signed = f"{first},{challenge},{without_proof}".encode()
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode()
    _tell(connection, f"{without_proof},p={proof}".encode())
    kind, body = message(connection)
    if kind != b"R":
        raise LabError(f"the proof was refused: {body}")


_SALTED = {}


def _salted_password(password, salt, iterations):
    """Worked out once for each salt: a proxy gives a person the same one every time."""
    key = (password, salt, iterations)
    if key not in _SALTED:
        _SALTED[key] = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), iterations)
    return _SALTED[key]


def _tell(connection, body):
    connection.sendall(b"p" + struct.pack("!I", len(body) + 4) + body)


def message(connection):
    head = _exactly(connection, 5)
    return head[:1], _exactly(connection, struct.unpack("!I", head[1:])[0] - 4)


def _exactly(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise LabError("the connection was closed during the login")
        data += piece
    return data
