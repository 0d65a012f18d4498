"""The PostgreSQL of a laboratory."""

import glob
import os
import secrets
import shutil
import signal
import socket
import subprocess

from .machine import LabError, as_user, copy, die_with_parent, free_port, kept, own, run, text_of, wait_until

DATABASE = "hr_prod"
LANES = ("read", "write", "admin")


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


class Postgres:
    """The part of a laboratory that is a PostgreSQL."""

    postgres = None
    pg_port = None

    def start_postgres(self, data=True):
        """Starts a private PostgreSQL over TLS with SCRAM; its superuser is `postgres`."""
        self.certificates()
        template = _template(data)
        self.pg_port = self.pg_port or free_port()
        place = self.path("pg")
        copy(template, place)
        for name in ("server.crt", "server.key"):
            shutil.copy(self.path(name), place)
            os.chmod(os.path.join(place, name), 0o600)
        own(place, _user())
        with open(os.path.join(place, "pg_hba.conf"), "w", encoding="utf-8") as hba:
            hba.write("local all postgres trust\nlocal replication postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
                      "hostnossl all all 127.0.0.1/32 scram-sha-256\n")
        with open(os.path.join(place, "postgresql.auto.conf"), "a", encoding="utf-8") as settings:
            settings.write(
                f"port = {self.pg_port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{place}'\n"
                "ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\n"
                "password_encryption = 'scram-sha-256'\nmax_connections = 400\n"
                # The data is thrown away: durability buys nothing here.
                "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"
                "max_prepared_transactions = 5\nlogging_collector = off\nlog_line_prefix = '%m [%p] %u %a '\n")
        self.run_postgres()
        self.passwords.update({role: secrets.token_urlsafe(18) for role in
                          ["postgres"] + [f"tidegate_{lane}" for lane in LANES]})
        self.psql("".join(f"ALTER ROLE {role} PASSWORD '{password}';\n" for role, password in self.passwords.items()),
                  database="postgres")

    def run_postgres(self):
        """Starts the server on the directory that is there (also again, after it was killed)."""
        place, log = self.path("pg"), self.path("postgres.log")
        with open(log, "ab") as out:
            self.postgres = subprocess.Popen(
                [postgres_bin() + "/postgres", "-D", place], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                cwd=place, start_new_session=True, preexec_fn=die_with_parent(signal.SIGQUIT), **_user())
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

def _user():
    return as_user("postgres")


def _template(data):
    """A data directory with roles and, if asked for, the sample data.

    Its roles have no passwords: nobody can log in to a copy before it was given new ones.
    """
    from .laboratory import Lab  # The laboratory is made of this file, too.

    sql = text_of("demo", "hr_prod.sql")

    def build(fresh):
        with Lab() as lab:
            place, user = lab.path("pg"), _user()
            os.makedirs(place, mode=0o700)
            own(place, user)
            run(postgres_bin() + "/initdb", "-D", place, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
                "-A", "trust", "--wal-segsize=1", cwd=place, **user)
            settings = os.path.join(place, "postgresql.auto.conf")
            with open(settings, "a", encoding="utf-8") as file:
                file.write(f"listen_addresses = ''\nunix_socket_directories = '{place}'\nfsync = off\n")
            lab.pg_port = 5432
            lab.run_postgres()
            lab.psql("".join(f"CREATE ROLE tidegate_{lane} LOGIN;\n" for lane in LANES)
                     + f"ALTER ROLE tidegate_admin CREATEROLE;\nCREATE DATABASE {DATABASE};\n", database="postgres")
            if data:
                lab.psql(sql)
            lab.postgres.send_signal(signal.SIGINT)
            lab.postgres.wait()
            lab.postgres = None
            open(settings, "w", encoding="utf-8").close()
            copy(place, fresh)

    return kept(build, "postgres", sql, data, postgres_bin(), text_of("tests", "support", "lab", "postgres.py"))
