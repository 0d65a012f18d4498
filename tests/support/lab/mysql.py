"""The servers of MySQL's kind of a laboratory: Debian's MariaDB, and a MySQL 9 of its own (tests/support/mysql9)."""

import functools
import os
import secrets
import shutil
import signal
import socket
import subprocess

from .machine import ROOT, LabError, as_user, copy, die_with_parent, free_port, kept, own, run, text_of, wait_until
from .postgres import DATABASE, LANES

FLAVORS = ("mariadb", "mysql")

# The data is thrown away: durability buys nothing here. Small, so that a copy is quick to make.
_SETTINGS = ["--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0",
             "--innodb-flush-method=nosync", "--skip-log-bin", "--skip-name-resolve", "--innodb-buffer-pool-dump-at-shutdown=0",
             "--innodb-buffer-pool-load-at-startup=0", "--character-set-server=utf8mb4"]
_OWN_SETTINGS = {"mariadb": ["--innodb-log-file-size=8M"],
                 "mysql": ["--innodb-redo-log-capacity=8M", "--mysqlx=OFF", "--secure-file-priv=NULL",
                           *(["--user=root"] if os.geteuid() == 0 else [])]}


class Mysql:
    """The part of a laboratory that is servers of MySQL's kind, by flavor, in `self.mysql`."""

    def start_mysql(self, flavor, data=True):
        """Starts a private MariaDB or MySQL 9, TLS and plain text; its superuser is `root`, from anywhere."""
        self.certificates()
        server = self.mysql[flavor] = Server(self, flavor)
        server.make(data)
        return server


class Server:
    """One of them."""

    def __init__(self, lab, flavor):
        self.flavor = flavor
        self.place = lab.path(flavor)
        self.log = lab.path(f"{flavor}.log")
        self.pid_file = lab.path(f"{flavor}.pid")
        # In the data directory, where nobody else can reach it: root needs no password there.
        self.socket = os.path.join(self.place, "socket")
        self.certificates = [lab.path(name) for name in ("ca.crt", "server.crt", "server.key")]
        self.port = free_port()
        self.passwords = {name: secrets.token_urlsafe(18) for name in ["root"] + [f"tidegate_{lane}" for lane in LANES]}
        self.process = None

    def make(self, data):
        """Copies a data directory, starts the server on it, gives everybody a password."""
        copy(_template(self.flavor, data), self.place)
        for file in self.certificates:
            shutil.copy(file, self.place)
            os.chmod(os.path.join(self.place, os.path.basename(file)), 0o600)
        # Run before anybody can connect.
        first = os.path.join(self.place, "first.sql")
        with open(os.open(first, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            for name in self.passwords if data else ["root"]:
                file.write(f"ALTER USER {name}@'%' IDENTIFIED BY '{self.passwords[name]}';\n")
        own(self.place, _user(self.flavor))
        self.run(f"--init-file={first}")
        os.unlink(first)

    def run(self, *settings):
        """Starts the server on the directory that is there (also again, after it was killed)."""
        # Without them, in a template, the server makes its own or goes without.
        tls = [f"--ssl-{what}={os.path.join(self.place, file)}" for what, file in
               (("ca", "ca.crt"), ("cert", "server.crt"), ("key", "server.key"))
               if os.path.exists(os.path.join(self.place, file))]
        settings = ("--bind-address=127.0.0.1", f"--port={self.port}", "--max-connections=300",
                    "--max-allowed-packet=128M", "--local-infile=1", *tls, *settings)
        from_here = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                [*_program(self.flavor), *_SETTINGS, *_OWN_SETTINGS[self.flavor], f"--datadir={self.place}",
                 f"--socket={self.socket}", f"--pid-file={self.place}/pid", *settings],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.place, start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL), **_user(self.flavor))
        with open(self.pid_file, "w", encoding="ascii") as file:
            file.write(f"{self.process.pid}\n")

        def ready():
            with open(self.log, "rb") as file:
                file.seek(from_here)
                if b"ready for connections" not in file.read():
                    return False
            with socket.socket(socket.AF_UNIX) as probe:
                return probe.connect_ex(self.socket) == 0

        wait_until(self.flavor, ready, self.process, self.log, seconds=60.0)

    def sql(self, sql, database=DATABASE):
        """Runs SQL as root, over the unix socket, around the gateway; gives what the client printed, without headings."""
        return run(*client(self.flavor), "--no-defaults", "--batch", "--skip-column-names", "--default-character-set=utf8mb4",
                   "--user=root", f"--socket={self.socket}", f"--database={database}", stdin=None, input=sql)

    def url(self, database=DATABASE):
        """root on it, for programs that take one argument."""
        return f"mysql://root:{self.passwords['root']}@127.0.0.1:{self.port}/{database}"


def client(flavor, program="mysql"):
    """The beginning of the command line of a client program (`mysql`, `mysqldump`) of a flavor."""
    if flavor == "mysql":
        return [_MYSQL9, "run", program]
    found = shutil.which({"mysql": "mariadb", "mysqldump": "mariadb-dump"}[program])
    if not found:
        raise LabError("no MariaDB client on this machine: run `make setup`")
    return [found]


def _program(flavor):
    """The beginning of the server's command line."""
    if flavor == "mysql":
        return [_MYSQL9, "run", "mysqld", "--no-defaults", f"--basedir={_mysql9()}/usr"]
    found = shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin:/usr/libexec:" + os.environ.get("PATH", ""))
    if not found:
        raise LabError("no MariaDB server (mariadbd) on this machine: run `make setup`")
    return [found, "--no-defaults"]


@functools.cache
def _mysql9():
    """The folder of MySQL 9."""
    return run(_MYSQL9).splitlines()[-1]


def _user(flavor):
    # MySQL 9 runs from a folder that only its owner may be able to pass through.
    return as_user("mysql") if flavor == "mariadb" else {}


def _template(flavor, data):
    """A data directory with the accounts and, if asked for, the sample data.

    Its accounts cannot log in over the network: a copy has to give them passwords first.
    """
    from .laboratory import Lab  # The laboratory is made of this file, too.

    program = _program(flavor)
    sql = [text_of("demo", "hr_prod.mysql.sql"), text_of("demo", "accounts.mysql.sql")] if data else [f"CREATE DATABASE {DATABASE};"]

    def build(fresh):
        with Lab() as lab:
            server = lab.mysql[flavor] = Server(lab, flavor)
            os.makedirs(server.place, mode=0o700)
            own(server.place, _user(flavor))
            if flavor == "mysql":
                run(*program, *_SETTINGS, *_OWN_SETTINGS[flavor], "--initialize-insecure",
                    f"--datadir={server.place}")
            else:
                run("mariadb-install-db", "--no-defaults", *_SETTINGS, *_OWN_SETTINGS[flavor], f"--datadir={server.place}", "--skip-test-db",
                    "--auth-root-authentication-method=normal", **_user(flavor))
            server.run("--skip-networking")
            server.sql(f"CREATE USER root@'%' IDENTIFIED BY '{secrets.token_urlsafe(18)}';\n"
                       "GRANT ALL PRIVILEGES ON *.* TO root@'%' WITH GRANT OPTION;\n", "mysql")
            if flavor == "mariadb":
                # They have no password, and go before root@'%'.
                hosts = ["127.0.0.1", "::1", socket.gethostname().lower()]
                server.sql("".join(f"DROP USER IF EXISTS root@'{host}', ''@'{host}', ''@'localhost';\n" for host in hosts), "mysql")
            for text in sql:
                server.sql(text, "mysql")
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(60)
            shutil.rmtree(os.path.join(server.place, "#innodb_temp"), ignore_errors=True)
            copy(server.place, fresh)

    version = run(*program, "--version")
    return kept(build, flavor, version, data, *sql, text_of("tests", "support", "lab", "mysql.py"))


_MYSQL9 = os.path.join(ROOT, "tests", "support", "mysql9")
