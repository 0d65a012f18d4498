"""A PostgreSQL that follows another, and names that can be made to lead elsewhere."""

import os
import signal
import socket
import subprocess
import threading

from .machine import as_user, die_with_parent, free_port, own, run, wait_until
from .postgres import DATABASE, postgres_bin


class Standby:
    """Follows the laboratory's PostgreSQL by streaming replication; commits there wait for it."""

    def __init__(self, lab):
        self.lab, self.place, self.port = lab, lab.path("standby"), free_port()
        user = as_user("postgres")
        os.makedirs(self.place, mode=0o700)
        own(self.place, user)
        run(postgres_bin() + "/pg_basebackup", "-h", lab.path("pg"), "-p", str(lab.pg_port), "-U", "postgres",
            "-D", self.place, "-R", "-X", "stream", "--checkpoint=fast", "--no-sync", cwd=self.place, **user)
        log = lab.path("standby.log")
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [postgres_bin() + "/postgres", "-D", self.place, "-c", f"port={self.port}",
                 "-c", f"unix_socket_directories={self.place}"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.place, start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGQUIT), **user)
        wait_until("the standby", lambda: b"ready to accept read-only" in open(log, "rb").read(), self.process, log)
        lab.psql("ALTER SYSTEM SET synchronous_standby_names = '*';\nALTER SYSTEM SET synchronous_commit = on;\n"
                 "SELECT pg_reload_conf();\n")
        wait_until("replication", lambda: "sync" in lab.psql("SELECT sync_state FROM pg_stat_replication"), self.process, log)

    def sql(self, sql, database=DATABASE):
        """Runs SQL there as the superuser, over the unix socket."""
        return run(postgres_bin() + "/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.place,
                   "-p", str(self.port), "-U", "postgres", "-d", database, "-f", "-", stdin=None, input=sql)

    def promote(self):
        """Has it take writes."""
        self.sql("SELECT pg_promote()")


class Switch:
    """A port that leads to another one, which can be changed: what is open stays where it is, as with a name's address."""

    def __init__(self, to):
        self.to = to
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                client.close()
                continue
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=_copy, args=(one, other), daemon=True).start()


def _copy(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
    except OSError:
        pass
    for it in (one, other):
        try:
            it.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
