"""Ways to a database, and how they are held against each other."""

import os
import re
import signal
import socket
import statistics
import subprocess

import lab as laboratory

TICK = os.sysconf("SC_CLK_TCK")


class Peer:
    """A way to the database: straight, or through a proxy with a process of its own."""

    def __init__(self, name, port, user, password, process=None, pid=None):
        self.name, self.port, self.user, self.password, self.process = name, port, user, password, process
        self.pid = process.pid if process else pid

    def cpu(self):
        """CPU seconds that the proxy has used."""
        if not self.pid:
            return 0.0
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self):
        """Resident bytes of the proxy."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) * 1024


def compare(mode, clients, peers, rounds, one_run, latencies):
    """Runs the peers (straight, other, tidegate) in turns, prints a line, gives the ratio of tidegate to the other.

    `one_run(peer, mode, clients)` gives statements a second, how many there were, and what some of them took in
    microseconds; `latencies` collects the last by mode, clients and peer.
    """
    runs = {peer.name: [] for peer in peers}
    for turn in range(rounds):
        # Who begins changes from round to round: whatever else the machine does falls on all of them.
        for peer in peers[turn % len(peers):] + peers[:turn % len(peers)]:
            before = peer.cpu()
            rate, done, took = one_run(peer, mode, clients)
            latencies.setdefault((mode, clients), {}).setdefault(peer.name, []).extend(took)
            runs[peer.name].append((rate, (peer.cpu() - before) * 1e6 / max(done, 1)))
    rate = {name: statistics.median(run[0] for run in found) for name, found in runs.items()}
    cpu = {name: statistics.median(run[1] for run in found) for name, found in runs.items()}
    straight, other, tidegate = (peer.name for peer in peers)
    # Ratios of runs of the same round, then their median: a slow moment does not count for one side only.
    ratio = statistics.median(a[0] / b[0] for a, b in zip(runs[tidegate], runs[other]))
    to_straight = statistics.median(a[0] / b[0] for a, b in zip(runs[tidegate], runs[straight]))
    print(f"{mode:<10}{clients:>8}{rate[straight]:>10.0f}{rate[other]:>11.0f}{rate[tidegate]:>10.0f}"
          f"{ratio:>9.2f}{to_straight:>11.2f}{cpu[other]:>9.1f}{cpu[tidegate]:>8.1f}", flush=True)
    return ratio


def heading(other, short):
    """The line above those of `compare`."""
    print(f"\n{'mode':<10}{'clients':>8}{'direct':>10}{other:>11}{'tidegate':>10}{'tg/' + short:>9}{'tg/direct':>11}"
          f"{'µs ' + short:>9}{'µs tg':>8}   (statements a second; ratios; proxy CPU for each statement)")


def show_latencies(latencies, names):
    """A line for each point: what the median, the slowest 5 % and the slowest 1 % take through each peer."""
    print("\n" + f"{'mode':<10}{'clients':>8}" + "".join(f"{name + ' p50':>16}{'p95':>8}{'p99':>8}" for name in names)
          + "   (microseconds, of a sample)")
    for (mode, clients), found in latencies.items():
        cells = []
        for name in names:
            ordered = sorted(found[name])
            p50, p95, p99 = (ordered[min(int(len(ordered) * part), len(ordered) - 1)] for part in (0.5, 0.95, 0.99))
            cells.append(f"{p50:>16.0f}{p95:>8.0f}{p99:>8.0f}")
        print(f"{mode:<10}{clients:>8}" + "".join(cells), flush=True)


def summary(other, ratios):
    """The last word; gives the median."""
    median = statistics.median(ratios)
    print(f"\nthroughput of tidegate to {other}: median {median:.2f}, lowest {min(ratios):.2f}, highest {max(ratios):.2f}")
    return median


def start(lab, name, command, port, log, **how):
    """Starts a proxy and waits until somebody listens on its port."""
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=lab.dir,
                                   preexec_fn=laboratory.die_with_parent(signal.SIGTERM), **how)

    def ready():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    laboratory.wait_until(name, ready, process, log)
    return process


def numbers(out, *patterns):
    """The number that each pattern finds in what a program printed."""
    found = [re.search(pattern, out) for pattern in patterns]
    if not all(found):
        raise laboratory.LabError(f"the benchmark program says:\n{out}")
    return [float(match.group(1)) for match in found]
