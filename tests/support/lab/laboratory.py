"""A laboratory: one directory, the servers in it, and their end."""

import os
import signal
import subprocess
import tempfile

from .gateway import Gateway
from .machine import run
from .mysql import Mysql
from .postgres import Postgres

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


class Lab(Postgres, Mysql, Gateway):
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
        self.passwords = {}
        self.mysql = {}
        self.people = {}
        self.log_level = "info"

    # -- the end ------------------------------------------------------------------------------------------------

    def close(self):
        """Stops everything and removes the directory. Calling it twice is fine."""
        # The data of MySQL's kind is thrown away: there is nothing that it should write down first.
        servers = [(self.gateway, signal.SIGTERM), (self.postgres, signal.SIGINT)]
        servers += [(server.process, signal.SIGKILL) for server in self.mysql.values()]
        servers += [(self.standby.process, signal.SIGQUIT)] if self.standby else []
        for process, how in servers:
            if process and process.poll() is None:
                process.send_signal(how)
                try:
                    process.wait(8)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.gateway = self.postgres = self.standby = None
        self.mysql = {}
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
