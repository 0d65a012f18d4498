#!/usr/bin/env python3
"""Derives policies/mysql/*.tsv from fresh servers.

    scripts/derive-mysql-builtins.py MYSQL_URL MARIADB_URL [BINARY ...]

URLs are root@host:port (no password); the client `mysql` must be in PATH. Functions have no catalog: every word that
the servers' own tables or the strings of the given server BINARIES hold is called without arguments, and the error
tells whether the function is built in. What a name is allowed to do is a matter of review, kept in
policies/mysql/*.review.tsv, each line with its reason:

    functions.review.tsv   name      class  reason
    relations.review.tsv   database  name   class   reason
    variables.review.tsv   name      class  reason

A name may hold `*` (any characters); the longest pattern wins, an exact name always does. What a server has and no
review covers comes out as `unreviewed`, which the gateway treats as the strictest class, and this script ends with
status 1. Review lines that fit nothing are reported, unless their class starts with `+`: those are written out
although no server tells of the name (functions of the grammar: behind `:` stands whose).
"""
import fnmatch
import pathlib
import re
import subprocess
import sys

DATA = pathlib.Path(__file__).resolve().parent.parent / "policies" / "mysql"
SYSTEM = "('information_schema', 'mysql', 'performance_schema', 'sys')"
RELATIONS = f"select lower(table_schema), lower(table_name) from information_schema.tables where table_schema in {SYSTEM}"
WORDS = ["select name from mysql.help_topic", "select name from mysql.help_keyword",
         "select word from information_schema.keywords"]
VARIABLES = {
    "mysql": "select lower(variable_name), variable_scope from performance_schema.variables_metadata",
    "mariadb": "select lower(variable_name), variable_scope from information_schema.system_variables",
}
# The function is not built in: the server looks for a stored one.
NO_SUCH_FUNCTION = {1046, 1305}
SYNTAX = 1064


class Server:
    def __init__(self, flavor, url):
        user, _, place = url.rpartition("@")
        host, _, port = place.partition(":")
        self.flavor, self.user = flavor, user
        self.command = ["mysql", "--no-defaults", "-N", "-B", f"-h{host}", f"-P{port or 3306}"]

    def rows(self, query):
        out = subprocess.run([*self.command, f"-u{self.user}", "-e", query], check=True, capture_output=True, text=True)
        return [line.split("\t") for line in out.stdout.splitlines()]

    def errors(self, statements, user):
        """The error of each statement, 0 if none."""
        done = subprocess.run([*self.command, f"-u{user}", "--force"], input="".join(s + ";\n" for s in statements),
                              capture_output=True, text=True, errors="replace")
        found = re.findall(r"^ERROR (\d+) \(\w+\) at line (\d+)", done.stderr, re.MULTILINE)
        codes = {int(line): int(code) for code, line in found}
        return [codes.get(line + 1, 0) for line in range(len(statements))]


class Review:
    """Hand-made lines: the key's pattern, then the class."""

    def __init__(self, name, key_columns):
        self.name, self.lines, self.used = name, {}, set()
        for number, line in enumerate((DATA / name).read_text().splitlines(), 1):
            if not line or line.startswith("#"):
                continue
            columns = line.split("\t")
            key = ".".join(columns[:key_columns])
            if len(columns) != key_columns + 2 or not columns[-1].strip() or key in self.lines:
                sys.exit(f"{name}:{number}: no reason given, or a second line for {key}")
            self.lines[key] = columns[key_columns]

    def find(self, key):
        fits = [key] if key in self.lines else [p for p in self.lines if "*" in p and fnmatch.fnmatchcase(key, p)]
        if not fits:
            return None
        best = max(fits, key=len)
        self.used.add(best)
        return self.lines[best].lstrip("+")

    def extra(self):
        return {key: value[1:] for key, value in self.lines.items() if value.startswith("+")}

    def complain(self):
        for key in sorted(self.lines.keys() - self.used - self.extra().keys()):
            print(f"{self.name}: {key} fits nothing", file=sys.stderr)


def words(servers, binaries):
    found = set()
    for server in servers:
        for query in WORDS:
            found |= {row[0].upper() for row in server.rows(query)}
    for binary in binaries:
        found |= {word.decode().upper() for word in re.findall(rb"[A-Za-z_][A-Za-z0-9_]{1,45}",
                                                              pathlib.Path(binary).read_bytes())}
    return sorted(word for word in found if re.fullmatch("[A-Z_][A-Z0-9_]*", word))


def functions(servers, binaries):
    review, homes = Review("functions.review.tsv", 1), {}
    candidates = words(servers, binaries)
    for server in servers:
        errors = server.errors([f"SELECT {word}()" for word in candidates], server.user)
        for word, error in zip(candidates, errors):
            if error not in NO_SUCH_FUNCTION and error != SYNTAX:
                homes.setdefault(word.lower(), []).append(server.flavor)
    homes.pop("select", None)
    table = {name: [review.find(name) or "unreviewed", "both" if len(set(where)) == 2 else where[0]]
             for name, where in homes.items()}
    for name, value in review.extra().items():
        table[name] = value.split(":")
    return table, review


def relations(servers, _):
    review = Review("relations.review.tsv", 2)
    names = {f"{database}.{name}" for server in servers for database, name in server.rows(RELATIONS)}
    table = {key: [review.find(key) or "unreviewed"] for key in names}
    table |= {key: [value] for key, value in review.extra().items()}
    # Names that are here today are guarded by their pattern; so is whatever comes tomorrow.
    return {key.replace(".", "\t", 1): value for key, value in table.items() if value != ["guarded"]}, review


def variables(servers, _):
    review, rules = Review("variables.review.tsv", 1), {}
    for server in servers:
        rows = server.rows(VARIABLES[server.flavor])
        server.rows("create user if not exists tidegate_probe")
        own = [f"SET SESSION {name} = DEFAULT" for name, _ in rows]
        as_is = [f"SET SESSION {name} = @@{name}" for name, _ in rows]
        errors = zip(server.errors(own, "tidegate_probe"), server.errors(as_is, "tidegate_probe"))
        server.rows("drop user tidegate_probe")
        for (name, scope), codes in zip(rows, errors):
            kept = scope == "GLOBAL" or 1227 in codes or 1238 in codes or 1621 in codes
            rules[name] = "admin" if kept or rules.get(name) == "admin" else "unreviewed"
    table = {name: [review.find(name) or rule] for name, rule in rules.items()}
    # Whatever has no line is admin.
    return {name: value for name, value in table.items() if value != ["admin"]}, review


def main(arguments):
    if len(arguments) < 2:
        sys.exit(__doc__)
    servers = [Server("mysql", arguments[0]), Server("mariadb", arguments[1])]
    unreviewed = []
    for what, derive in (("functions", functions), ("relations", relations), ("variables", variables)):
        table, review = derive(servers, arguments[2:])
        lines = ["\t".join([key, *value]) for key, value in table.items()]
        (DATA / f"{what}.tsv").write_text("".join(line + "\n" for line in sorted(lines)))
        review.complain()
        unreviewed += [f"{what}: {key} is unreviewed" for key, value in table.items() if value[0] == "unreviewed"]
    if unreviewed:
        sys.exit("\n".join(sorted(unreviewed)))


main(sys.argv[1:])
