#!/usr/bin/env python3
"""A laboratory: a private PostgreSQL with sample data and, if asked for, the gateway in front of it.

Used by the demo, the benchmark and the tests, so that all three see the same thing. Standard library only.

As a program it is a lifeline: it starts what is asked for, prints one line of JSON that says where everything is,
serves one-line commands on standard input (JSON in, JSON out) and takes everything down at end of input.

    tests/support/lab.py [--gateway PATH/TO/tidegate] [--no-data]

Nothing stays behind however it ends: servers die with their parent (PR_SET_PDEATHSIG), and a sweeper process that only
waits for the end of this one removes the directory, also after kill -9.
"""

import atexit
import base64
import contextlib
import ctypes
import fcntl
import glob
import hashlib
import hmac
import json
import os
import pwd
import random
import re
import resource
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATABASE = "hr_prod"
LANES = ("read", "write", "admin")

# Loaded before any fork: after one, only what is there already is safe to use.
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1

_SWEEPER = r"""
trap '' INT TERM HUP
read -r _ || :
for pidfile in "$0"/*.pid "$0"/*/postmaster.pid; do
    [ -e "$pidfile" ] || continue
    pid=$(head -n 1 "$pidfile")
    kill -QUIT "$pid" 2>/dev/null || :
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ $tries -lt 50 ]; do
        tries=$((tries + 1)); sleep 0.1
        [ $tries -eq 20 ] && kill -KILL "$pid" 2>/dev/null
    done
done
rm -rf -- "$0"
"""


class LabError(Exception):
    """Something the laboratory needs is missing or does not start; the text says what to do."""


def postgres_bin():
    """The newest PostgreSQL server programs of this machine."""
    places = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4].split(".")[0]))
    places = [p for p in places if os.path.exists(p + "/initdb")]
    if places:
        return places[-1]
    found = shutil.which("initdb")
    if found:
        return os.path.dirname(os.path.realpath(found))
    raise LabError("no PostgreSQL server programs (initdb) on this machine: run `make setup`")


def free_port():
    """A port of 127.0.0.1 that nobody listens on, and that no other laboratory takes while this process lives.

    Below the range that the system gives to outgoing connections, which would take it between now and its use.
    """
    folder = os.path.join(tempfile.gettempdir(), f"tidegate-ports-{os.getuid()}")
    for port in random.sample(range(15000, 32000), 2000):
        try:
            # Whoever gives up the last claim removes the folder.
            os.makedirs(folder, mode=0o700, exist_ok=True)
            claim = os.open(os.path.join(folder, str(port)), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(claim)
            continue
        _claims.append((claim, os.path.join(folder, str(port))))
        return port
    raise LabError("no free port between 15000 and 32000 on 127.0.0.1")


def _give_up_claims():
    for claim, path in _claims:
        with contextlib.suppress(OSError):
            os.unlink(path)
            os.close(claim)
            # Fails while others have claims of their own there.
            os.rmdir(os.path.dirname(path))
    _claims.clear()


_claims = []
atexit.register(_give_up_claims)


def run(*command, **options):
    """Runs a command to its end; its output is in the error if it fails."""
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        raise LabError(f"{' '.join(command[:3])} … failed ({done.returncode}):\n{done.stdout}")
    return done.stdout


def wait_until(what, ready, process, log, seconds=30.0):
    """Waits until `ready()` is true; fails with the log's end when `process` ends before that."""
    deadline = time.monotonic() + seconds
    while not ready():
        ended = process.poll()
        if ended is not None or time.monotonic() > deadline:
            state = f"ended with {ended}" if ended is not None else f"is not ready after {seconds:.0f} s"
            raise LabError(f"{what} {state}; the end of its log:\n{tail(log)}")
        time.sleep(0.02)


def tail(path, lines=25):
    """The last lines of a file."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except OSError as problem:
        return f"({problem})"


def die_with_parent(signal_number):
    """For Popen's preexec_fn: the kernel sends the child this signal on the day its parent dies."""
    def prepare():
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)

    return prepare


class Lab:
    """One directory, the servers in it, and their end."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="tidegate-")
        # The database's own user has to pass through; what is secret has its own mode.
        os.chmod(self.dir, 0o711)
        self.pipe_out, self.pipe_in = os.pipe()
        self.sweeper = subprocess.Popen(
            ["/bin/sh", "-c", _SWEEPER, self.dir],
            stdin=self.pipe_out, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )
        os.close(self.pipe_out)
        self.postgres = None
        self.gateway = None
        self.passwords = {}
        self.people = {}
        self.log_level = "info"

    # -- the end ------------------------------------------------------------------------------------------------

    def close(self):
        """Stops everything and removes the directory. Calling it twice is fine."""
        for process, how in ((self.gateway, signal.SIGTERM), (self.postgres, signal.SIGINT)):
            if process and process.poll() is None:
                process.send_signal(how)
                try:
                    process.wait(8)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.gateway = self.postgres = None
        if self.pipe_in is not None:
            os.close(self.pipe_in)
            self.pipe_in = None
            self.sweeper.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def path(self, *names):
        """A path inside the laboratory."""
        return os.path.join(self.dir, *names)

    def write(self, name, text, mode=0o600):
        """Writes a file of the laboratory with its mode set from the first byte."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(text)
        return path

    # -- certificates ---------------------------------------------------------------------------------------------

    def certificates(self):
        """An authority of our own (ca.crt) and a certificate (server.crt, server.key) for localhost."""
        if os.path.exists(self.path("ca.crt")):
            return
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        run("openssl", "req", "-x509", *key, "-days", "2", "-subj", "/CN=Tidegate laboratory",
            "-keyout", self.path("ca.key"), "-out", self.path("ca.crt"),
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.certificate("server", "localhost", "DNS:localhost,IP:127.0.0.1")
        os.chmod(self.path("ca.crt"), 0o644)

    def certificate(self, name, common_name, alternatives, days=2):
        """A certificate `name`.crt with its key, signed by the laboratory's authority."""
        extensions = self.write(f"{name}.ext", f"subjectAltName={alternatives}\nbasicConstraints=CA:FALSE\n")
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", f"/CN={common_name}", "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.csr"))
        run("openssl", "x509", "-req", "-in", self.path(f"{name}.csr"), "-CA", self.path("ca.crt"),
            "-CAkey", self.path("ca.key"), "-CAcreateserial", "-days", str(days), "-extfile", extensions,
            "-out", self.path(f"{name}.crt"))
        os.chmod(self.path(f"{name}.key"), 0o600)

    # -- PostgreSQL -----------------------------------------------------------------------------------------------

    def start_postgres(self, data=True):
        """Starts a private PostgreSQL over TLS with SCRAM; its superuser is `postgres`."""
        self.certificates()
        binaries, template = postgres_bin(), _template(data)
        self.pg_port = self.pg_port if getattr(self, "pg_port", None) else free_port()
        place = self.path("pg")
        run("cp", "-a", "--reflink=auto", template, place)
        for name in ("server.crt", "server.key"):
            shutil.copy(self.path(name), place)
            os.chmod(os.path.join(place, name), 0o600)
        own(place)
        with open(os.path.join(place, "pg_hba.conf"), "w", encoding="utf-8") as hba:
            hba.write("local all postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
                      "hostnossl all all 127.0.0.1/32 scram-sha-256\n")
        with open(os.path.join(place, "postgresql.auto.conf"), "a", encoding="utf-8") as settings:
            settings.write(
                f"port = {self.pg_port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{place}'\n"
                "ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\n"
                "password_encryption = 'scram-sha-256'\nmax_connections = 200\n"
                # The data is thrown away: durability buys nothing here.
                "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"
                "max_prepared_transactions = 5\nlogging_collector = off\nlog_line_prefix = '%m [%p] %u %a '\n")
        self.run_postgres()
        self.passwords = {role: secrets.token_urlsafe(18) for role in
                          ["postgres"] + [f"tidegate_{lane}" for lane in LANES]}
        self.psql("".join(f"ALTER ROLE {role} PASSWORD '{password}';\n" for role, password in self.passwords.items()),
                  database="postgres")

    def run_postgres(self):
        """Starts the server on the directory that is there (also again, after it was killed)."""
        place, log = self.path("pg"), self.path("postgres.log")
        with open(log, "ab") as out:
            self.postgres = subprocess.Popen(
                [postgres_bin() + "/postgres", "-D", place], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                cwd=place, start_new_session=True, preexec_fn=die_with_parent(signal.SIGQUIT), **as_user())
        socket_file = os.path.join(place, f".s.PGSQL.{self.pg_port}")

        def ready():
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(socket_file)
                except OSError:
                    return False
            return b"ready to accept connections" in open(log, "rb").read().split(b"starting PostgreSQL")[-1]

        wait_until("PostgreSQL", ready, self.postgres, log)

    def psql(self, sql, database=DATABASE):
        """Runs SQL as the superuser, over the unix socket, around the gateway; gives what psql printed."""
        return run(postgres_bin() + "/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.path("pg"),
                   "-p", str(self.pg_port), "-U", "postgres", "-d", database, "-f", "-", stdin=None, input=sql)

    # -- the gateway ----------------------------------------------------------------------------------------------

    def configure(self, plaintext=False, pool=20, policies=None, upstream_tls=True, client_ca=False,
                  authentication="scram", **changes):
        """Writes tidegate.yaml, the policies and the account passwords. `changes` replace whole top-level keys."""
        self.port, self.api_port = free_port(), free_port()
        for lane in LANES:
            self.write(f"{lane}.password", self.passwords[f"tidegate_{lane}"])
        policies = policies or os.path.join(ROOT, "policies")
        os.makedirs(self.path("policies"), exist_ok=True)
        for file in glob.glob(os.path.join(policies, "*.yaml")):
            shutil.copy(file, self.path("policies"))
        upstream = "{ mode: verify-full, ca: ca.crt, server_name: localhost }" if upstream_tls else "{ mode: disable }"
        sections = {
            "data_dir": "data_dir: data",
            "listeners": f"""listeners:
  - address: 127.0.0.1:{self.port}
    dialect: postgres
    targets: [hr]
    tls: {{ certificate: server.crt, key: server.key{', client_ca: ca.crt' if client_ca else ''} }}
    plaintext: {'true' if plaintext else 'false'}
    authentication: {authentication}""",
            "targets": f"""targets:
  - name: hr
    dialect: postgres
    environment: prod
    labels: {{ team: people }}
    endpoint: 127.0.0.1:{self.pg_port}
    tls: {upstream}
    accounts:
      read:  {{ user: tidegate_read,  password_file: read.password }}
      write: {{ user: tidegate_write, password_file: write.password }}
      admin: {{ user: tidegate_admin, password_file: admin.password }}
    pool: {{ max_connections: {pool}, wait_timeout_ms: 5000, idle_timeout_s: 300, max_lifetime_s: 3600 }}""",
            "policies": "policies: policies",
            "store": "store: { sqlite: tidegate.db }",
            "audit": "audit: { path: audit.jsonl, durability: process }",
            "api": f"api: {{ address: 127.0.0.1:{self.api_port} }}",
            "log": f"log: {{ format: text, level: {self.log_level} }}",
        }
        sections.update(changes)
        self.config = self.write("tidegate.yaml", "\n".join(text for text in sections.values() if text) + "\n")

    def start_gateway(self, binary, **settings):
        """Starts `tidegate serve` and waits until it says that it is ready."""
        self.binary = binary
        if not os.path.exists(self.path("tidegate.yaml")) or settings:
            self.configure(**settings)
        self.run_gateway()

    def run_gateway(self):
        """Starts the gateway on the configuration that is there (also again, after it was killed)."""
        log = self.path("tidegate.log")
        with open(log, "ab") as out:
            self.gateway = subprocess.Popen(
                [self.binary, "serve", "--config", self.config], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                cwd=self.dir, start_new_session=True, preexec_fn=die_with_parent(signal.SIGTERM))
        self.write("tidegate.pid", f"{self.gateway.pid}\n")
        wait_until("tidegate", lambda: self.api("/readyz") == 200, self.gateway, log)

    def api(self, path):
        """Status of a GET on the admin API; 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.api_port}{path}", timeout=2) as answer:
                return answer.status
        except urllib.error.HTTPError as answer:
            return answer.code
        except OSError:
            return 0

    def metrics(self):
        """The text of /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.api_port}/metrics", timeout=2) as answer:
            return answer.read().decode()

    def admin_environment(self):
        """What the client commands of the CLI read."""
        return {"TIDEGATE_API": f"http://127.0.0.1:{self.api_port}", "TIDEGATE_KEY_FILE": self.path("data", "admin.key")}

    def cli(self, *arguments, stdin=""):
        """Runs a client command as the administrator; gives its output, whatever its end, and its exit code."""
        done = subprocess.run([self.binary, *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env={**os.environ, **self.admin_environment()}, cwd=self.dir, timeout=60)
        return done.stdout, done.returncode

    def admin(self, *arguments, stdin=""):
        """The same, for commands that must not fail."""
        out, code = self.cli(*arguments, stdin=stdin)
        if code:
            raise LabError(f"tidegate {' '.join(arguments)} failed ({code}):\n{out}\n{tail(self.path('tidegate.log'))}")
        return out

    def add_person(self, name):
        """Gives a person of the policy a password, new on every run."""
        self.people[name] = secrets.token_urlsafe(12)
        self.admin("user", "add", name, "--password-stdin", stdin=self.people[name] + "\n")

    def grant(self, to, permission, tables=None, seconds=3600, reason="scenario"):
        """Makes a grant and gives its identifier."""
        what = [w for table in tables for w in ("--table", table)] if tables else ["--all-tables"]
        out = self.admin("grant", "create", "--to", to, "--target", "hr", "--database", DATABASE, *what,
                         "--permission", permission, "--for", f"{seconds}s", "--reason", reason)
        found = re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{12,}\b", out)
        if not found:
            raise LabError(f"no grant identifier in: {out}")
        return found.group(0)

    def libpq(self, port, user, password):
        """The environment with which every libpq-like client finds its way; certificates are checked in full."""
        return {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGDATABASE": DATABASE, "PGUSER": user,
                "PGPASSWORD": password, "PGSSLMODE": "verify-full", "PGSSLROOTCERT": self.path("ca.crt")}

    def where(self):
        """All that another process needs to know, for the lifeline's JSON line."""
        known = {"dir": self.dir, "pg_port": self.pg_port, "passwords": self.passwords, "pg_pid": self.postgres.pid}
        if self.gateway:
            known.update(port=self.port, api_port=self.api_port, gateway_pid=self.gateway.pid, people=self.people,
                         key_file=self.path("data", "admin.key"), config=self.config, binary=self.binary)
        return known


def as_user():
    """PostgreSQL refuses to run as root: another user then, if there is one to be."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise LabError("running as root, and there is neither a user `postgres` nor `nobody` to run PostgreSQL as")


def own(place):
    """Gives a directory to the user that PostgreSQL runs as."""
    user = as_user()
    if user:
        run("chown", "-R", f"{user['user']}:{user['group']}", place)


def _template(data):
    """A data directory with roles and sample data, made once and copied for every server: initdb is slow.

    Its roles have no passwords: nobody can log in to a copy before it was given new ones.
    """
    with open(os.path.join(ROOT, "demo", "hr_prod.sql"), "rb") as file:
        sql = file.read()
    with open(os.path.abspath(__file__), "rb") as file:
        code = file.read()
    key = hashlib.sha256(sql + code + postgres_bin().encode() + bytes([data])).hexdigest()[:16]
    cache = os.path.join(os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target"), "lab")
    os.makedirs(cache, exist_ok=True)
    template = os.path.join(cache, key)
    if os.path.isdir(template):
        return template
    with Lab() as lab:
        place = lab.path("pg")
        os.makedirs(place, mode=0o700)
        own(place)
        binaries = postgres_bin()
        run(binaries + "/initdb", "-D", place, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
            "-A", "trust", "--wal-segsize=1", cwd=place, **as_user())
        with open(os.path.join(place, "postgresql.auto.conf"), "a", encoding="utf-8") as settings:
            settings.write(f"listen_addresses = ''\nunix_socket_directories = '{place}'\nfsync = off\n")
        lab.pg_port = 5432
        lab.run_postgres()
        lab.psql("".join(f"CREATE ROLE tidegate_{lane} LOGIN;\n" for lane in LANES)
                 + "ALTER ROLE tidegate_admin CREATEROLE;\nCREATE DATABASE hr_prod;\n", database="postgres")
        if data:
            lab.psql(sql.decode())
        lab.postgres.send_signal(signal.SIGINT)
        lab.postgres.wait()
        lab.postgres = None
        open(os.path.join(place, "postgresql.auto.conf"), "w", encoding="utf-8").close()
        # Copied beside its place and renamed: another process sees all of it or nothing.
        fresh = f"{template}.{os.getpid()}"
        run("cp", "-a", place, fresh)
        try:
            os.rename(fresh, template)
        except OSError:
            # Another process was faster; its copy is as good.
            shutil.rmtree(fresh)
    return template


def log_in(port, user, password):
    """A client that has logged in with SCRAM-SHA-256, in plain text, and says nothing more."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    parameters = b"".join(text.encode() + b"\0" for text in
                          ("user", user, "database", DATABASE, "client_encoding", "UTF8"))
    body = struct.pack("!I", 196608) + parameters + b"\0"
    connection.sendall(struct.pack("!I", len(body) + 4) + body)
    nonce = base64.b64encode(os.urandom(18)).decode()
    kind, body = _message(connection)
    if kind != b"R" or b"SCRAM-SHA-256" not in body:
        raise LabError(f"no SCRAM on port {port}: {kind} {body}")
    first = f"n=,r={nonce}"
    initial = ("n,," + first).encode()
    _tell(connection, b"SCRAM-SHA-256\0" + struct.pack("!I", len(initial)) + initial)
    challenge = _message(connection)[1][4:].decode()
    fields = dict(part.split("=", 1) for part in challenge.split(","))
    salted = _salted_password(password, fields["s"], int(fields["i"]))
    without_proof = f"c=biws,r={fields['r']}"
    signed = f"{first},{challenge},{without_proof}".encode()
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode()
    _tell(connection, f"{without_proof},p={proof}".encode())
    while True:
        kind, body = _message(connection)
        if kind == b"E":
            raise LabError(f"the login was refused: {body}")
        if kind == b"Z":
            return connection


_SALTED = {}


def _salted_password(password, salt, iterations):
    """Worked out once for each salt: a proxy gives a person the same one every time."""
    key = (password, salt, iterations)
    if key not in _SALTED:
        _SALTED[key] = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), iterations)
    return _SALTED[key]


def _tell(connection, body):
    connection.sendall(b"p" + struct.pack("!I", len(body) + 4) + body)


def _message(connection):
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


def _serve(lab):
    """Answers commands until the input ends: {"do": "cli", "arguments": […]} and so on."""
    idle = []
    for line in sys.stdin:
        order = json.loads(line)
        what = order.pop("do")
        try:
            if what == "stop_gateway":
                lab.gateway.send_signal(getattr(signal, order["signal"]))
                answer = {"code": lab.gateway.wait(20)}
            elif what == "start_gateway":
                lab.run_gateway()
                answer = lab.where()
            elif what == "stop_postgres":
                lab.postgres.send_signal(getattr(signal, order["signal"]))
                answer = {"code": lab.postgres.wait(20)}
            elif what == "start_postgres":
                lab.run_postgres()
                answer = lab.where()
            elif what == "where":
                answer = lab.where()
            elif what == "psql":
                answer = {"out": lab.psql(order["sql"], order.get("database", DATABASE))}
            elif what == "cli":
                out, code = lab.cli(*order["arguments"], stdin=order.get("stdin", ""))
                answer = {"out": out, "code": code}
            elif what == "hangup":
                lab.gateway.send_signal(signal.SIGHUP)
                answer = {}
            elif what == "idle":
                idle += [log_in(order["port"], order["user"], order["password"]) for _ in range(order["count"])]
                answer = {}
            elif what == "certificate":
                lab.certificate(order["name"], order["common_name"], order["alternatives"])
                answer = {}
            elif what == "add_person":
                lab.add_person(order["name"])
                answer = {"password": lab.people[order["name"]]}
            elif what == "grant":
                answer = {"id": lab.grant(**order)}
            else:
                answer = {"error": f"no such order: {what}"}
        except (LabError, subprocess.TimeoutExpired, OSError) as problem:
            answer = {"error": str(problem)}
        print(json.dumps(answer), flush=True)


def main():
    """The lifeline."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    arguments = sys.argv[1:]
    with Lab() as lab:
        try:
            lab.start_postgres(data="--no-data" not in arguments)
            if "--gateway" in arguments:
                settings = {}
                if "--settings" in arguments:
                    settings = json.loads(arguments[arguments.index("--settings") + 1])
                lab.log_level = os.environ.get("TIDEGATE_TEST_LOG", "info")
                lab.start_gateway(arguments[arguments.index("--gateway") + 1], **settings)
        except LabError as problem:
            print(json.dumps({"error": str(problem)}), flush=True)
            sys.exit(1)
        print(json.dumps(lab.where()), flush=True)
        _serve(lab)


if __name__ == "__main__":
    main()
