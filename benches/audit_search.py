#!/usr/bin/env python3
"""How long the log of benches/audit_log.py takes to search: benches/audit_search.py BINARY LOG [--build] [--verify] [--api].

Each line is a run of `tidegate audit` by itself: wall and processor time of the whole process, its largest memory, and how
many rows it gave. `--build` removes the index first and measures how it is made. With `--api` a gateway that has the log as
its own is asked (TIDEGATE_API, TIDEGATE_KEY_FILE): the processor time is then the client's.
"""

import argparse
import datetime
import json
import os
import subprocess
import time


class Runs:
    """Runs of one binary on one log."""

    def __init__(self, binary, log, api):
        self.binary, self.log, self.api = binary, log, api

    def run(self, name, *args, log=True):
        where = ["--log", self.log] if log and not self.api else []
        begun = time.monotonic()
        command = [self.binary, "audit", *args, *where, *(["--json"] if log else [])]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # What it has to say on stderr is a line: nothing waits for it to be read.
        out = process.stdout.read()
        problem = process.stderr.read().decode()[:200].strip()
        _, _, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
        print(
            f"{name:40} wall {wall:7.3f} s   cpu {used.ru_utime + used.ru_stime:7.3f} s   "
            f"memory {used.ru_maxrss / 1024:6.1f} MiB   rows {rows(out):5}   {problem}",
            flush=True,
        )
        return out

    def search(self, name, *args):
        return json.loads(self.run(name, "search", *args))["records"]

    def stats(self, name, *args):
        return json.loads(self.run(name, "stats", *args))


def rows(out):
    try:
        answer = json.loads(out)
    except ValueError:
        return len(out.splitlines())
    return len(answer.get("records", answer.get("touches", [])))


def build(runs):
    for ending in ["", "-wal", "-shm"]:
        try:
            os.remove(f"{runs.log}.index{ending}")
        except FileNotFoundError:
            pass
    runs.run("index made, and stats", "stats")
    folder = os.path.dirname(os.path.abspath(runs.log))
    sizes = [os.path.getsize(os.path.join(folder, it)) for it in os.listdir(folder) if it.endswith(".jsonl")]
    print(f"index {os.path.getsize(runs.log + '.index') / 1e6:.0f} MB of {sum(sizes) / 1e6:.0f} MB")


def queries(runs):
    stats = runs.stats("stats, all", "--limit", "1000")
    touches = stats["touches"]
    top, low = touches[0], touches[-1]
    middle = datetime.datetime.fromisoformat(stats["hours"][len(stats["hours"]) // 2]["at"].replace("Z", "+00:00"))

    def span(**length):
        form = "%Y-%m-%dT%H:%M:%SZ"
        return ["--from", middle.strftime(form), "--until", (middle + datetime.timedelta(**length)).strftime(form)]

    runs.stats("stats, one day", *span(days=1))
    runs.stats("stats, five days", *span(days=5))
    runs.stats("stats, one person", "--principal", top["principal"])
    search, person, table = runs.search, top["principal"], top["object"]
    mine = {it["object"] for it in touches if it["principal"] == person}
    never = next(it["object"] for it in touches if it["object"] not in mine)
    places = {(it["principal"], it["target"]) for it in touches}
    elsewhere = next(it["target"] for it in touches if (person, it["target"]) not in places)
    search("first page of all")
    search("page of 500", "--limit", "500")
    search("frequent person", "--principal", person)
    search("frequent person, from the middle", "--principal", person, *span(days=9)[2:])
    search("rare person", "--principal", low["principal"])
    search("frequent table", "--table", table)
    search("pattern of tables", "--table", "*salary*")
    search("person and table", "--principal", person, "--table", table)
    search("person and a table never touched", "--principal", person, "--table", never)
    search("person and a target never used", "--principal", person, "--target", elsewhere)
    search("table and target", "--target", low["target"], "--table", low["object"])
    search("target and database", "--target", top["target"], "--database", top["database"])
    search("refusals", "--decision", "deny")
    search("refusals of a person", "--principal", person, "--decision", "deny")
    search("refusals of a kind and person", "--principal", person, "--kind", "delete", "--decision", "deny")
    search("rare kind", "--kind", "define")
    search("permission on a table", "--permission", "ddl", "--table", table)
    search("logins of a person", "--event", "login", "--principal", person)
    search("one hour", *span(hours=1))
    record = search("person in one hour", "--principal", person, *span(hours=1))[0]["record"]
    search("session", "--session", record["session"])
    search("statement by identifier", "--reference", record["statement"])
    runs.run("show, a statement", "show", record["statement"])
    granted = (name for it in search("page for its grants") for name in it["record"].get("grants", []))
    search("grant", "--reference", next(name for name in granted if not name.startswith("standing")))
    search("word in every block", "--text", "select")
    search("rare literal", "--text", "Ann12345")
    search("beginning of a word", "--text", "ann123*")
    search("two words, one of them rare", "--text", "Ann1234 delete")
    search("two words, often apart", "--text", "UPDATE salary")
    search("word and person, never together", "--text", "Ann12345", "--principal", low["principal"])
    runs.run("tail, 500 lines", "tail", "--lines", "500")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("log")
    for flag in ["build", "verify", "api"]:
        parser.add_argument(f"--{flag}", action="store_true")
    wanted = parser.parse_args()
    runs = Runs(wanted.binary, wanted.log, wanted.api)
    if wanted.build:
        build(runs)
    queries(runs)
    if wanted.verify:
        runs.run("verify", "verify", wanted.log, log=False)


if __name__ == "__main__":
    main()
