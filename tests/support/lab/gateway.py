"""The gateway of a laboratory: its settings, its life, its command line."""

import glob
import os
import re
import secrets
import shutil
import signal
import subprocess
import urllib.request

from .aws import REGION, Aws
from .failover import Standby, Switch
from .machine import ROOT, LabError, die_with_parent, free_port, tail, wait_until
from .postgres import DATABASE, LANES
from .rds import Rds


def build():
    """Builds the release binary as releases are built, and gives its path."""
    command = [os.path.join(ROOT, "scripts", "with-profile"), "cargo", "build", "--release", "--locked", "--quiet"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise LabError("the build failed; its messages are above")
    return os.path.join(os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target"), "release", "tidegate")


class Gateway:
    """The part of a laboratory that is the gateway."""

    gateway = None
    aws = None
    standby = None
    environment = {}
    ready_at = "/readyz"

    def configure(self, plaintext=False, pool=20, policies=None, upstream_tls=True, client_ca=False,
                  authentication="scram", mysql_authentication="caching_sha2", iam=None, standby=False, failover_wait=0, wait=5000, prepared=500, attribution=None, **changes):
        """Writes tidegate.yaml, the policies and the account passwords: a listener and a target for each server.

        With `iam` the accounts log in with tokens, to a database as RDS shows it; it says where the AWS credentials come
        from (see aws.py), how AWS misbehaves from the beginning (`knobs`), and what else is written in the target's block of that name. With `standby` PostgreSQL has one, to which
        the read lane goes. `changes` replace whole top-level keys.
        """
        self.api_port = free_port()
        self.ports = {server: free_port() for server in self.servers()}
        self.port = next(iter(self.ports.values()))
        policies = policies or os.path.join(ROOT, "policies")
        os.makedirs(self.path("policies"), exist_ok=True)
        for file in glob.glob(os.path.join(policies, "*.yaml")):
            shutil.copy(file, self.path("policies"))
        how = {"certificates": f"certificate: server.crt, key: server.key{', client_ca: ca.crt' if client_ca else ''}",
               "plaintext": "true" if plaintext else "false", "pool": pool, "failover_wait": failover_wait, "wait": wait, "prepared": prepared,
               "upstream": "mode: verify-full, ca: ca.crt, server_name: localhost" if upstream_tls else "mode: disable"}
        listeners, targets = ["listeners:"], ["targets:"]
        for server, port in self.ports.items():
            dialect = "postgres" if server == "postgres" else "mysql"
            login = authentication if server == "postgres" else mysql_authentication
            listeners.append(_LISTENER.format(port=port, dialect=dialect, target=TARGETS[server], login=login, **how))
            real_port = self.pg_port if server == "postgres" else self.mysql[server].port
            if iam:
                targets.append(self._on_rds(server, dialect, real_port, pool, **iam))
                continue
            targets.append(_TARGET.format(target=TARGETS[server], dialect=dialect, server=server, port=real_port, **how))
            if attribution:
                targets[-1] += f"\n    attribution: {attribution}"
            if standby:
                targets[-1] = targets[-1].replace(f"127.0.0.1:{real_port}", self._with_standby(real_port))
            for lane in LANES:
                self.write(f"{server}.{lane}.password", self.account(server, lane)[1])
        sections = {
            "data_dir": "data_dir: data",
            "listeners": "\n".join(listeners),
            "targets": "\n".join(targets),
            "policies": "policies: policies",
            "store": "store: { sqlite: tidegate.db }",
            "audit": "audit: { path: audit.jsonl, durability: process }",
            "api": f"api: {{ address: 127.0.0.1:{self.api_port} }}",
            "log": f"log: {{ format: text, level: {self.log_level} }}",
        }
        sections.update(changes)
        self.config = self.write("tidegate.yaml", "\n".join(text for text in sections.values() if text) + "\n")

    def _on_rds(self, server, dialect, real_port, pool, source, per_second=50, knobs=None, **settings):
        """The target of a server that is reached as on RDS, through a tunnel."""
        host = f"{server}.cluster-c1.{REGION}.rds.amazonaws.com"
        endpoint = f"{host}:{5432 if server == 'postgres' else 3306}"
        self.certificate("rds", host, f"DNS:{host}")
        self.aws = self.aws or Aws()
        if knobs is not None:
            self.aws.knobs.update(knobs)
            self.ready_at = "/healthz"
        accounts = dict(self.account(server, lane) for lane in LANES)
        self.rds = Rds(self.aws, endpoint, server, real_port, accounts, (self.path("rds.crt"), self.path("rds.key")),
                       self.path("ca.crt"))
        self.environment = self.aws.environment(source, self)
        iam = ", ".join(f"{key}: \"{value}\"" for key, value in {"endpoint": endpoint, **settings}.items())
        return _TARGET_ON_RDS.format(target=TARGETS[server], dialect=dialect, port=self.rds.port, host=host, iam=iam, pool=pool,
                                     per_second=per_second)

    def _with_standby(self, real_port):
        """Starts one; gives the endpoint of the writer, and that of the reader below it."""
        self.standby = Standby(self)
        self.switches = {"writer": Switch(real_port), "reader": Switch(self.standby.port)}
        writer, reader = (f"127.0.0.1:{switch.port}" for switch in self.switches.values())
        return f"{writer}\n    reader: {{ endpoint: \"{reader}\", server_name: localhost }}"

    def servers(self):
        """The servers that were started, PostgreSQL first."""
        return (["postgres"] if self.postgres else []) + list(self.mysql)

    def account(self, server, lane):
        """User and password of a lane's shared account."""
        name = f"tidegate_{lane}"
        return name, (self.passwords if server == "postgres" else self.mysql[server].passwords)[name]

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
                cwd=self.dir, start_new_session=True, preexec_fn=die_with_parent(signal.SIGTERM),
                env={**os.environ, **self.environment})
        self.write("tidegate.pid", f"{self.gateway.pid}\n")
        wait_until("tidegate", lambda: self.api(self.ready_at) == 200, self.gateway, log)

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

    def add_person(self, name, mysql_native=False):
        """Gives a person of the policy a password, new on every run; with `mysql_native` for old clients, too."""
        self.people[name] = secrets.token_urlsafe(12)
        self.admin("user", "add", name, "--password-stdin", stdin=self.people[name] + "\n")
        if mysql_native:
            self.admin("user", "passwd", name, "--password-stdin", "--mysql-native", stdin=self.people[name] + "\n")

    def grant(self, to, permission, tables=None, seconds=3600, reason="scenario", server="postgres", database=DATABASE):
        """Makes a grant and gives its identifier."""
        what = [w for table in tables for w in ("--table", table)] if tables else ["--all-tables"]
        out = self.admin("grant", "create", "--to", to, "--target", TARGETS[server], "--database", database, *what,
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
        known = {"dir": self.dir, "passwords": self.passwords, "servers": {}}
        if self.postgres:
            known.update(pg_port=self.pg_port, pg_pid=self.postgres.pid)
            known["servers"]["postgres"] = {"port": self.pg_port, "pid": self.postgres.pid, "passwords": self.passwords}
        for flavor, server in self.mysql.items():
            known["servers"][flavor] = {"port": server.port, "pid": server.process.pid, "passwords": server.passwords}
        if self.gateway:
            known.update(port=self.port, ports=self.ports, api_port=self.api_port, gateway_pid=self.gateway.pid,
                         people=self.people, key_file=self.path("data", "admin.key"), config=self.config,
                         binary=self.binary)
        return known


# What each server is called as a target.
TARGETS = {"postgres": "hr", "mariadb": "hr_mariadb", "mysql": "hr_mysql"}

_LISTENER = """\
  - address: 127.0.0.1:{port}
    dialect: {dialect}
    targets: [{target}]
    tls: {{ {certificates} }}
    plaintext: {plaintext}
    authentication: {login}"""

_TARGET = """\
  - name: {target}
    dialect: {dialect}
    environment: prod
    labels: {{ team: people }}
    endpoint: 127.0.0.1:{port}
    tls: {{ {upstream} }}
    accounts:
      read:  {{ user: tidegate_read,  password_file: {server}.read.password }}
      write: {{ user: tidegate_write, password_file: {server}.write.password }}
      admin: {{ user: tidegate_admin, password_file: {server}.admin.password }}
    pool: {{ max_connections: {pool}, wait_timeout_ms: {wait}, idle_timeout_s: 300, max_lifetime_s: 3600, failover_wait_ms: {failover_wait}, prepared_statements: {prepared} }}"""

_TARGET_ON_RDS = """\
  - name: {target}
    dialect: {dialect}
    environment: prod
    endpoint: 127.0.0.1:{port}
    tls: {{ ca: ca.crt, server_name: {host} }}
    iam: {{ {iam} }}
    accounts:
      read:  {{ user: tidegate_read }}
      write: {{ user: tidegate_write }}
      admin: {{ user: tidegate_admin }}
    pool: {{ max_connections: {pool}, new_connections_per_second: {per_second} }}"""
