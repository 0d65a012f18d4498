"""pgbench -S through nothing, through PgBouncer and through Tidegate."""

import glob
import os
import re
import time

import lab as laboratory
from peers import Peer, compare, heading, numbers, show_latencies, start, summary

MODES = ("simple", "extended", "prepared")


def measure(lab, person, options):
    """All of it; gives the median ratio."""
    direct = Peer("direct", lab.pg_port, "tidegate_read", lab.passwords["tidegate_read"])
    owner = Peer("owner", lab.pg_port, "tidegate_admin", lab.passwords["tidegate_admin"])
    pgbench(lab, owner, options.tls, "-i", "-q", "-s", str(options.scale))
    tidegate = Peer("tidegate", lab.ports["postgres"], person, lab.people[person], pid=lab.gateway.pid)
    bouncers, version = start_pgbouncers(lab, direct, options.tls)
    try:
        return report(lab, direct, tidegate, bouncers, version, options)
    finally:
        for peer in set(bouncers.values()):
            peer.process.terminate()
            peer.process.wait()


def report(lab, direct, tidegate, bouncers, version, options):
    print(f"peers: {os.cpu_count()} cores, pgbench -S at scale {options.scale}, {options.rounds} interleaved rounds of "
          f"{options.seconds} s, {'TLS' if options.tls else 'plain text'}, audit log on; {version}")
    if bouncers["prepared"] is not bouncers["simple"]:
        print("peers: this PgBouncer cannot move prepared statements: session pooling stands in for `prepared`")
    heading("pgbouncer", "pgb")
    for peer in {direct, tidegate, *bouncers.values()}:
        # The proxies' connections to the database are open before anything is measured.
        pgbench(lab, peer, options.tls, "-S", "-n", "-c", str(max(options.clients)), "-j", "2", "-T", "2")

    def one_run(peer, mode, clients):
        prefix = lab.path("latency")
        out = pgbench(lab, peer, options.tls, "-S", "-n", "-M", mode, "-c", str(clients), "-j", str(min(clients, 2)),
                      "-T", str(options.seconds), "-l", "--sampling-rate=0.1", f"--log-prefix={prefix}")
        return *numbers(out, r"tps = ([0-9.]+)", r"transactions actually processed: (\d+)"), taken(prefix)

    latencies = {}
    ratios = [compare(mode, clients, [direct, bouncers[mode], tidegate], options.rounds, one_run, latencies)
              for mode in MODES for clients in options.clients]
    median = summary("pgbouncer", ratios)
    show_latencies(latencies, [peer.name for peer in (direct, bouncers["simple"], tidegate)])
    print()
    for peer in (direct, bouncers["simple"], tidegate):
        print(f"a login for each statement, 8 clients, through {peer.name}: {churn(lab, peer, options):.0f} a second")
    for peer in (bouncers["simple"], tidegate):
        print(f"idle client ({options.idle} of them) in {peer.name}: {idle_memory(peer, options.idle) / 1024:.1f} KiB")
    for peer in (bouncers["simple"], tidegate):
        print(f"100 MB result through {peer.name}: {large_result(lab, peer, options.tls):.2f} CPU seconds for each GB")
    return median


def taken(prefix):
    """The latencies in microseconds that pgbench wrote down; its files are removed."""
    found = []
    for name in glob.glob(f"{prefix}.*"):
        with open(name, encoding="ascii") as file:
            found.extend(int(line.split()[2]) for line in file)
        os.remove(name)
    return found


def churn(lab, peer, options):
    """Logins a second, each with one statement."""
    out = pgbench(lab, peer, options.tls, "-S", "-n", "-C", "-c", "8", "-j", "2", "-T", str(options.seconds))
    return numbers(out, r"tps = ([0-9.]+)")[0]


def environment(lab, peer, tls):
    return {**os.environ, **lab.libpq(peer.port, peer.user, peer.password), "PGSSLMODE": "verify-full" if tls else "disable"}


def pgbench(lab, peer, tls, *arguments):
    return laboratory.run(laboratory.postgres_bin() + "/pgbench", *arguments, env=environment(lab, peer, tls))


def start_pgbouncers(lab, direct, tls):
    """PgBouncer with transaction pooling; for `prepared` with session pooling where it is older than 1.21."""
    binary = next((p for p in ("/usr/sbin/pgbouncer", "/usr/bin/pgbouncer") if os.path.exists(p)), None)
    if not binary:
        raise laboratory.LabError("no PgBouncer here: run `make setup`")
    version = laboratory.run(binary, "--version").splitlines()[0]
    number = tuple(int(part) for part in re.search(r"(\d+)\.(\d+)", version).groups())
    transaction = start_pgbouncer(lab, binary, direct, "transaction", tls, number)
    prepared = transaction if number >= (1, 21) else start_pgbouncer(lab, binary, direct, "session", tls, number)
    return {"simple": transaction, "extended": transaction, "prepared": prepared}, version


def start_pgbouncer(lab, binary, direct, mode, tls, number):
    port = laboratory.free_port()
    place = lab.path(f"pgbouncer-{mode}")
    os.makedirs(place)
    users = lab.write(f"pgbouncer-{mode}/users", f'"{direct.user}" "{direct.password}"\n')
    for name in ("server.crt", "server.key", "ca.crt"):
        with open(lab.path(name), encoding="ascii") as file:
            lab.write(f"pgbouncer-{mode}/{name}", file.read())
    encrypted = (f"client_tls_sslmode = require\nclient_tls_cert_file = {place}/server.crt\n"
                 f"client_tls_key_file = {place}/server.key\nserver_tls_sslmode = verify-full\n"
                 f"server_tls_ca_file = {place}/ca.crt\n") if tls else ""
    config = lab.write(f"pgbouncer-{mode}/pgbouncer.ini", f"""[databases]
{laboratory.DATABASE} = host={'localhost' if tls else '127.0.0.1'} port={direct.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = {mode}
max_client_conn = 20000
default_pool_size = {64 if mode == 'transaction' else 128}
ignore_startup_parameters = extra_float_digits
{'max_prepared_statements = 100' if number >= (1, 21) else ''}
log_connections = 0
log_disconnections = 0
{encrypted}""")
    laboratory.own(place, laboratory.as_user("postgres"))
    process = start(lab, "PgBouncer", [binary, config], port, lab.path(f"pgbouncer-{mode}.log"),
                    **laboratory.as_user("postgres"))
    return Peer("pgbouncer", port, direct.user, direct.password, process)


def idle_memory(peer, count):
    """Bytes of the proxy for each client that is logged in and does nothing."""
    warm = [laboratory.log_in(peer.port, peer.user, peer.password) for _ in range(50)]
    for connection in warm:
        connection.close()
    time.sleep(0.5)
    before = peer.memory()
    held = [laboratory.log_in(peer.port, peer.user, peer.password) for _ in range(count)]
    time.sleep(0.5)
    each = (peer.memory() - before) / count
    for connection in held:
        connection.close()
    return each


def large_result(lab, peer, tls):
    """CPU seconds of the proxy for each GB that it relays."""
    sql = "SELECT repeat('x', 1000) FROM generate_series(1, 100000)"
    before = peer.cpu()
    laboratory.run("sh", "-c", f"{laboratory.postgres_bin()}/psql -X -q -A -t -c \"{sql}\" > /dev/null",
                   env=environment(lab, peer, tls))
    return (peer.cpu() - before) / 0.1
