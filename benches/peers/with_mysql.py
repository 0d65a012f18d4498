"""sysbench's point selects before MariaDB: through nothing, through HAProxy and through Tidegate.

Debian has no proxy that speaks MySQL's protocol. HAProxy passes bytes on without reading them: the least that anything
in between can cost.
"""

import os
import shutil

import lab as laboratory
from peers import Peer, compare, heading, numbers, start, summary

# Statements as text, and prepared ones.
MODES = {"text": "disable", "prepared": "auto"}
ROWS = 100_000


def measure(lab, person, options):
    """All of it; gives the median ratio."""
    server = lab.mysql["mariadb"]
    direct = Peer("direct", server.port, "tidegate_read", server.passwords["tidegate_read"])
    sysbench(lab, Peer("owner", server.port, "tidegate_admin", server.passwords["tidegate_admin"]), "prepare")
    tidegate = Peer("tidegate", lab.ports["mariadb"], person, lab.people[person], pid=lab.gateway.pid)
    haproxy = start_haproxy(lab, direct)
    try:
        print(f"\npeers: {os.cpu_count()} cores, sysbench oltp_point_select, {ROWS} rows, {options.rounds} interleaved rounds of "
              f"{options.seconds} s, plain text, audit log on; {server.sql('SELECT VERSION()').strip()}")
        heading("haproxy", "ha")
        for peer in (direct, haproxy, tidegate):
            sysbench(lab, peer, "run", f"--threads={max(options.clients)}", "--time=2")

        def one_run(peer, mode, clients):
            out = sysbench(lab, peer, "run", f"--threads={clients}", f"--time={options.seconds}", f"--db-ps-mode={MODES[mode]}")
            done, rate = numbers(out, r"transactions: +(\d+)", r"transactions: +\d+ +\(([0-9.]+) per sec")
            # sysbench keeps no single latencies.
            return rate, done, []

        median = summary("haproxy", [compare(mode, clients, [direct, haproxy, tidegate], options.rounds, one_run, {})
                                     for mode in MODES for clients in options.clients])
        for peer in (haproxy, tidegate):
            print(f"100 MB result through {peer.name}: {large_result(peer):.2f} CPU seconds for each GB")
        return median
    finally:
        haproxy.process.terminate()
        haproxy.process.wait()


def sysbench(lab, peer, command, *arguments):
    """Runs sysbench; its login is in a file, so that it is in nobody's list of processes."""
    login = lab.write("sysbench.cfg", f"""db-driver=mysql
mysql-host=127.0.0.1
mysql-port={peer.port}
mysql-user={peer.user}
mysql-password={peer.password}
mysql-db={laboratory.DATABASE}
table-size={ROWS}
""")
    return laboratory.run("sysbench", f"--config-file={login}", "oltp_point_select", *arguments, command)


def start_haproxy(lab, direct):
    binary = shutil.which("haproxy", path="/usr/sbin:" + os.environ.get("PATH", ""))
    if not binary:
        raise laboratory.LabError("no HAProxy here: run `make setup`")
    port = laboratory.free_port()
    config = lab.write("haproxy.cfg", f"""global
    maxconn 4000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen database
    bind 127.0.0.1:{port}
    server one 127.0.0.1:{direct.port}
""")
    process = start(lab, "HAProxy", [binary, "-db", "-f", config], port, lab.path("haproxy.log"))
    return Peer("haproxy", port, direct.user, direct.password, process)


def large_result(peer):
    """CPU seconds of the proxy for each GB that it relays."""
    sql = "SELECT REPEAT('x', 3700) FROM employee, department"
    before = peer.cpu()
    laboratory.run("sh", "-c", f"mariadb --no-defaults -q -N -h 127.0.0.1 -P {peer.port} -u {peer.user} {laboratory.DATABASE} "
                   f"-e \"{sql}\" > /dev/null", env={**os.environ, "MYSQL_PWD": peer.password})
    return (peer.cpu() - before) / 0.1
