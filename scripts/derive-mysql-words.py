#!/usr/bin/env python3
"""Derive policies/mysql/words.tsv: which words may be names without quotes.

    scripts/derive-mysql-words.py MYSQL_URL MARIADB_URL

URLs are root@host:port (no password); the client `mysql` must be in PATH. No catalog tells where MariaDB's grammar takes
a keyword for a name, and MySQL's tells half of it: every keyword of both is tried in statements that have it as a name,
and a syntax error decides. Words that are free in both are not listed.
"""
import pathlib
import re
import subprocess
import sys

DATA = pathlib.Path(__file__).resolve().parent.parent / "policies" / "mysql" / "words.tsv"
SCRATCH = "tidegate_words"
# The first that fails decides.
PROBES = [
    ("reserved", "SELECT 1 AS {}"),
    ("no_alias", "SELECT 1 {}, 2"),
    ("no_table_alias", "SELECT 1 FROM t {} WHERE 1"),
]
SYNTAX = {"1064", "1149"}


def run(url, text):
    user, _, place = url.rpartition("@")
    host, _, port = place.partition(":")
    command = ["mysql", "--no-defaults", "-N", "-B", "--force", f"-u{user}", f"-h{host}", f"-P{port or 3306}"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    return done.stdout.split(), re.findall(r"^ERROR (\d+) \(\w+\) at line (\d+)", done.stderr, re.MULTILINE)


def keywords(url):
    words, _ = run(url, "SELECT word FROM information_schema.keywords;")
    return {word.upper() for word in words if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", word)}


def standing(url, words):
    setup = f"CREATE DATABASE IF NOT EXISTS {SCRATCH};USE {SCRATCH};CREATE TABLE IF NOT EXISTS t (a INT);"
    lines = [setup] + [probe.format(word) + ";" for word in words for _, probe in PROBES]
    _, errors = run(url, "\n".join(lines) + "\n")
    failed = {int(line) - 2 for code, line in errors if code in SYNTAX}
    run(url, f"DROP DATABASE {SCRATCH};")
    found = {}
    for at, word in enumerate(words):
        tries = (name for probe, (name, _) in enumerate(PROBES) if at * len(PROBES) + probe in failed)
        found[word] = next(tries, "free")
    return found


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    words = sorted(set().union(*map(keywords, sys.argv[1:])))
    mysql, mariadb = (standing(url, words) for url in sys.argv[1:])
    lines = ["# word\tmysql\tmariadb\t(scripts/derive-mysql-words.py; free in both: not listed)"]
    lines += [f"{word}\t{mysql[word]}\t{mariadb[word]}" for word in words if (mysql[word], mariadb[word]) != ("free", "free")]
    DATA.write_text("\n".join(lines) + "\n")


main()
