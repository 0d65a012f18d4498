"""A database as RDS shows it: TLS, logins by token in clear text, and a real server of the laboratory behind.

It speaks the login of PostgreSQL and of MySQL, checks the token, logs in to the real server by password, and from there
on hands bytes through.
"""

import hashlib
import select
import socket
import ssl
import struct
import threading

from . import scram

_TLS_REQUEST = 80877103
_CANCEL_REQUEST = 80877102


class Rds:
    """Listens on `port`; `endpoint` is what AWS knows it by, `accounts` are the passwords behind it."""

    def __init__(self, aws, endpoint, flavor, real_port, accounts, certificate, ca):
        self.aws, self.endpoint, self.flavor, self.real_port, self.accounts = aws, endpoint, flavor, real_port, accounts
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(*certificate)
        self.real_tls = ssl.create_default_context(cafile=ca)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        serve = _postgres if self.flavor == "postgres" else _mysql
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.settimeout(20)
            threading.Thread(target=self._serve, args=(serve, client), daemon=True).start()

    def _serve(self, serve, client):
        try:
            serve(self, client)
        except (OSError, scram.LabError, IndexError, ValueError, KeyError, struct.error) as problem:
            self.aws.log.append({"login": "broken", "problem": repr(problem)})
        finally:
            client.close()

    def lets_in(self, user, token):
        """Whether a token opens the account; says so in the log, without the token."""
        if self.aws.knobs["throttle"] > 0:
            self.aws.knobs["throttle"] -= 1
            problem = "too many logins"
        elif user not in self.accounts:
            problem = "no such account"
        else:
            problem = self.aws.problem(token, self.endpoint, user)
        self.aws.log.append({"login": "refused" if problem else "let in", "user": user, "problem": problem})
        return problem is None


# -- PostgreSQL -------------------------------------------------------------------------------------------------------


def _postgres(rds, client):
    if _exactly(client, 8) != struct.pack("!II", 8, _TLS_REQUEST):
        raise ValueError("it does not ask for TLS")
    client.sendall(b"S")
    client = rds.tls.wrap_socket(client, server_side=True)
    length, = struct.unpack("!I", _exactly(client, 4))
    startup = _exactly(client, length - 4)
    real = socket.create_connection(("127.0.0.1", rds.real_port), timeout=20)
    if startup[:4] == struct.pack("!I", _CANCEL_REQUEST):
        real.sendall(struct.pack("!I", length) + startup)
        real.recv(1)
        return
    texts = startup[4:].split(b"\0")
    user = dict(zip(texts[0::2], texts[1::2]))[b"user"].decode()
    client.sendall(b"R" + struct.pack("!II", 8, 3))
    kind, body = scram.message(client)
    if kind != b"p" or body[-1:] != b"\0":
        raise ValueError("that is no password")
    if not rds.lets_in(user, body[:-1].decode()):
        words = b"SFATAL\0VFATAL\0C28000\0MPAM authentication failed for user \"%s\"\0\0" % user.encode()
        client.sendall(b"E" + struct.pack("!I", len(words) + 4) + words)
        return
    scram.start(real, startup[4:])
    scram.prove(real, rds.accounts[user])
    _hand_through(client, real)


# -- MySQL ------------------------------------------------------------------------------------------------------------


def _mysql(rds, client):
    real = socket.create_connection(("127.0.0.1", rds.real_port), timeout=20)
    _, greeting = _packet(real)
    _send(client, 0, greeting)
    number, request = _packet(client)
    if len(request) != 32:
        raise ValueError("it does not ask for TLS")
    client = rds.tls.wrap_socket(client, server_side=True)
    number, response = _packet(client)
    user, proof, tail = _split(response)
    _send(client, number + 1, b"\xfemysql_clear_password\0")
    number, token = _packet(client)
    if not rds.lets_in(user, token.rstrip(b"\0").decode()):
        words = f"Access denied for user '{user}'@'localhost' (using password: YES)"
        _send(client, number + 1, b"\xff" + struct.pack("<H", 1045) + b"#28000" + words.encode())
        return
    _send(real, 1, request)
    real = rds.real_tls.wrap_socket(real, server_hostname="localhost")
    answer = _prove(real, greeting, response, tail, rds.accounts[user].encode())
    _send(client, number + 1, answer)
    if answer[0] == 0:
        _hand_through(client, real)


def _split(response):
    """Account, proof and what follows the proof in a handshake response."""
    user, rest = response[32:].split(b"\0", 1)
    return user.decode(), rest[1:1 + rest[0]], rest[1 + rest[0]:]


def _prove(real, greeting, response, tail, password):
    """Logs in to the real server with what the client asked for, but the password of ours; gives its last word."""
    version_end = greeting.index(b"\0", 1)
    nonce = greeting[version_end + 5:version_end + 13] + greeting[version_end + 32:version_end + 44]
    plugin = greeting[version_end + 45:].split(b"\0")[0]
    proof = _proof(plugin, password, nonce)
    # The database comes before the name of the method, which was the client's guess.
    known = next(name for name in _PROOFS if name + b"\0" in tail)
    tail = tail.replace(known + b"\0", plugin + b"\0", 1)
    user = response[32:response.index(b"\0", 32) + 1]
    _send(real, 2, response[:32] + user + bytes([len(proof)]) + proof + tail)
    while True:
        number, answer = _packet(real)
        if answer[:1] == b"\xfe":
            plugin, nonce = answer[1:].split(b"\0", 1)
            _send(real, number + 1, _proof(plugin, password, nonce[:20]))
        elif answer == b"\x01\x04":
            _send(real, number + 1, password + b"\0")
        elif answer != b"\x01\x03":
            return answer


def _proof(plugin, password, nonce):
    return _PROOFS[plugin](password, nonce)


def _native(password, nonce):
    once = hashlib.sha1(password).digest()
    mask = hashlib.sha1(nonce + hashlib.sha1(once).digest()).digest()
    return bytes(a ^ b for a, b in zip(once, mask))


def _caching(password, nonce):
    once = hashlib.sha256(password).digest()
    mask = hashlib.sha256(hashlib.sha256(once).digest() + nonce).digest()
    return bytes(a ^ b for a, b in zip(once, mask))


_PROOFS = {b"mysql_native_password": _native, b"caching_sha2_password": _caching}


def _packet(connection):
    head = _exactly(connection, 4)
    return head[3], _exactly(connection, int.from_bytes(head[:3], "little"))


def _send(connection, number, payload):
    connection.sendall(len(payload).to_bytes(3, "little") + bytes([number]) + payload)


# -- both -------------------------------------------------------------------------------------------------------------


def _exactly(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ConnectionError("closed in the middle of a login")
        data += piece
    return data


def _hand_through(one, other):
    """Bytes in both directions until either side closes."""
    for connection in (one, other):
        connection.settimeout(None)
    while True:
        waiting = [it for it in (one, other) if isinstance(it, ssl.SSLSocket) and it.pending()]
        for here in waiting or select.select([one, other], [], [])[0]:
            data = here.recv(65536)
            if not data:
                other.close()
                return
            (other if here is one else one).sendall(data)
