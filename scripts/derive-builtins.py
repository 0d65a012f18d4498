#!/usr/bin/env python3
"""Derive policies/postgres/*.tsv from the catalogs of fresh PostgreSQL servers.

    scripts/derive-builtins.py CONNECTION [CONNECTION ...]

Each CONNECTION is a libpq string of a superuser on a freshly initialised server ("host=127.0.0.1 port=5432
user=postgres dbname=postgres"); give one for each major version that is supported. The files hold the union; a
name that means different things on them takes the stricter meaning. Needs psql.

What no catalog can tell is written by hand in policies/postgres/*.review.tsv, each line with its reason:

    functions.review.tsv   name      class  writes|-  reason
    relations.review.tsv   schema    name   class     reason
    settings.review.tsv    name      class  reason

A name may hold `*` (any characters); the longest pattern wins, an exact name always does. What a server has and
no rule or review covers comes out as `unreviewed`, which the gateway treats as guarded, and this script ends with
status 1. Review lines that fit nothing on any server are reported too, unless their class starts with `+`: those
are written out although no catalog lists them.
"""
import fnmatch
import pathlib
import subprocess
import sys

DATA = pathlib.Path(__file__).resolve().parent.parent / "policies" / "postgres"
SYSTEM = "('pg_catalog', 'information_schema')"

# Functions that a trigger calls, or that take a value of type internal, cannot be called by a statement.
FUNCTIONS = f"""
select case n.nspname when 'pg_catalog' then proname else n.nspname || '.' || proname end,
       bool_or(provolatile = 'v' and prorettype <> 'trigger'::regtype and prorettype <> 'event_trigger'::regtype
               and not 'internal'::regtype = any (proargtypes))
from pg_proc p join pg_namespace n on n.oid = pronamespace where n.nspname in {SYSTEM} group by 1
"""
RELATIONS = f"""
select n.nspname, relname from pg_class c join pg_namespace n on n.oid = relnamespace
where n.nspname in {SYSTEM} and relkind in ('r', 'v', 'm', 'f', 'p', 'S')
"""
SETTINGS = "select lower(name), context from pg_settings"
OPERATORS = f"""
select distinct oprname from pg_operator o join pg_namespace n on n.oid = oprnamespace where n.nspname in {SYSTEM}
"""
TYPES = f"""
select case n.nspname when 'pg_catalog' then typname else n.nspname || '.' || typname end
from pg_type t join pg_namespace n on n.oid = typnamespace where n.nspname in {SYSTEM}
"""
# Spellings that the server's CREATE TABLE understands and no catalog lists.
SERIALS = ["bigserial", "serial", "serial2", "serial4", "serial8", "smallserial"]


def rows(connection, query):
    out = subprocess.run(
        ["psql", "-X", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", query, connection],
        check=True, capture_output=True, text=True).stdout
    return [line.split("\t") for line in out.splitlines()]


def union(connections, query):
    return [row for connection in connections for row in rows(connection, query)]


class Review:
    """Hand-made lines: the key's pattern, then the columns that it decides."""

    def __init__(self, name, key_columns):
        self.name, self.lines, self.used = name, {}, set()
        for number, line in enumerate((DATA / name).read_text().splitlines(), 1):
            if not line or line.startswith("#"):
                continue
            columns = line.split("\t")
            key = ".".join(columns[:key_columns])
            if not columns[-1].strip() or key in self.lines:
                sys.exit(f"{name}:{number}: no reason given, or a second line for {key}")
            self.lines[key] = columns[key_columns:-1]

    def find(self, key):
        fits = [key] if key in self.lines else [p for p in self.lines if "*" in p and fnmatch.fnmatchcase(key, p)]
        if not fits:
            return None
        best = max(fits, key=len)
        self.used.add(best)
        return [self.lines[best][0].lstrip("+"), *self.lines[best][1:]]

    def extra(self):
        """Lines to be written although no catalog lists the name."""
        return {key: [value[0][1:], *value[1:]] for key, value in self.lines.items() if value[0].startswith("+")}

    def complain(self):
        for key in sorted(self.lines.keys() - self.used - self.extra().keys()):
            print(f"{self.name}: {key} fits nothing", file=sys.stderr)


def functions(connections):
    review, volatile = Review("functions.review.tsv", 1), {}
    for name, flag in union(connections, FUNCTIONS):
        volatile[name] = volatile.get(name, False) or flag == "t"
    table = {}
    for name, is_volatile in volatile.items():
        rule = ["unreviewed" if is_volatile else "pure", "-"]
        table[name] = review.find(name) or rule
    return {**table, **review.extra()}, review


def relations(connections):
    review = Review("relations.review.tsv", 2)
    names = {f"{schema}.{name}" for schema, name in union(connections, RELATIONS)}
    table = {key: review.find(key) or ["unreviewed"] for key in names} | review.extra()
    return {key.replace(".", "\t", 1): value for key, value in table.items()}, review


def settings(connections):
    review, context = Review("settings.review.tsv", 1), {}
    for name, kind in union(connections, SETTINGS):
        context[name] = "admin" if kind != "user" or context.get(name) == "admin" else "unreviewed"
    table = {name: review.find(name) or [rule] for name, rule in context.items()}
    return {**table, **review.extra()}, review


def main(connections):
    if not connections:
        sys.exit(__doc__)
    unreviewed = []
    for what, derive in (("functions", functions), ("relations", relations), ("settings", settings)):
        table, review = derive(connections)
        write(what, ["\t".join([key, *value]) for key, value in table.items()])
        review.complain()
        unreviewed += [f"{what}: {key} is unreviewed" for key, value in table.items() if value[0] == "unreviewed"]
    write("operators", [row[0] for row in union(connections, OPERATORS)])
    write("types", [row[0] for row in union(connections, TYPES)] + SERIALS)
    if unreviewed:
        sys.exit("\n".join(sorted(unreviewed)))


def write(what, lines):
    (DATA / f"{what}.tsv").write_text("".join(line + "\n" for line in sorted(set(lines))))


main(sys.argv[1:])
