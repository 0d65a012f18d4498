#!/usr/bin/env python3
"""Writes docs/permissions.md: which statement needs what, as the corpus says, which the tests hold the code to.

    scripts/permissions.py            writes it
    scripts/permissions.py --check    fails if the page is not what this makes

Each row is a kind of statement and one answer, with the shortest statement of the corpus that has it.
"""

import collections
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, "docs", "permissions.md")
HEAD = """\
# Which statement needs what

Made by `scripts/permissions.py` from [tests/corpus](../tests/corpus/postgres/00-README.md): every statement there is analysed
by the tests, and somebody who holds exactly what is listed is let through, and with one thing less is not. So this page
says what the gateway does, not what it should. Change the corpus, and not this page.

- *any grant*: any grant in force on the database is enough.
- *routine*: the routine, operator or cast is not built in; it needs `admin`, or an entry in `routines` of the policy.
- *refused*: nobody may run it.
- *more*: and what else the statement touches.
- *or*: the corpus takes either; which of them it is depends on the server's version or on what the catalog tells.

Where a kind stands several times, the example shows what makes the difference. The rules behind it are in
[policy.md](policy.md#which-statement-needs-what).
"""
DATABASES = [("PostgreSQL", "postgres"), ("MySQL and MariaDB", "mysql")]
# Texts that are written to mislead say nothing about ordinary ones.
LEFT_OUT = ("95-lexical", "97-adversarial", "98-attacks", "95-batch")
# Words between a verb and what it is about.
FILLERS = {"OR", "REPLACE", "TEMP", "TEMPORARY", "UNLOGGED", "UNIQUE", "IF", "NOT", "EXISTS", "RECURSIVE", "CONCURRENTLY",
           "LOCAL", "GLOBAL", "CONSTRAINT", "IGNORE", "ONLINE", "OFFLINE", "FULLTEXT", "SPATIAL", "TRUSTED", "PROCEDURAL", "LOW_PRIORITY"}
ABOUT = {"CREATE", "ALTER", "DROP", "COMMENT", "SET", "SHOW", "LOCK", "LOAD", "START", "FLUSH", "RESET", "XA", "UNLOCK", "SECURITY"}
KEPT_OF_SET = {"ROLE", "SESSION", "TRANSACTION", "CONSTRAINTS", "GLOBAL", "PERSIST", "PASSWORD", "NAMES", "TIME", "CHARACTER", "LOCAL", "DEFAULT"}
WORDS = {"use": "any grant", "call": "routine", "gated": "`ddl`, `admin` or refused", "guarded": "`admin`, routine or refused", "refused": "refused", "...": "more"}

ORDER = ["`explain`", "`select`", "`export`", "`dml`", "`ddl`", "`admin`", "routine", "more"]


def main():
    text = HEAD + "".join(section(*database) for database in DATABASES)
    if sys.argv[1:] == ["--check"]:
        with open(PAGE, encoding="utf-8") as file:
            sys.exit(None if file.read() == text else f"{PAGE} is not what {sys.argv[0]} makes: run it without --check")
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(text)


def section(title, folder):
    answers = collections.defaultdict(lambda: collections.defaultdict(list))
    for sql, want in cases(os.path.join(ROOT, "tests", "corpus", folder)):
        answers[kind(sql)][needs(want)].append(sql)
    rows = []
    for name in sorted(answers):
        # What is asked most often first.
        for need, texts in sorted(answers[name].items(), key=lambda item: (-len(item[1]), item[0])):
            example = min(texts, key=lambda it: (len(it), it)).replace("|", "\\|")
            rows.append(f"| {name} | {need} | `` {example} `` |\n")
    return f"\n## {title}\n\n| kind | needs | for instance |\n| --- | --- | --- |\n{''.join(rows)}"


def cases(folder):
    """Statements that stand alone in the usual context, and what is expected of each."""
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".txt") or name.startswith(LEFT_OUT):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            blocks = file.read().split("\n\n")
        for block in blocks:
            lines = [line for line in block.split("\n") if line and not line.startswith("#")]
            wants = [line[2:].strip() for line in lines if line.startswith("=>")]
            sql = " ".join(" ".join(line for line in lines if not line.startswith("=>")).split())
            if len(wants) == 1 and not sql.startswith("@") and 0 < len(sql) <= 110 and "`` " not in sql:
                yield sql, wants[0]


def kind(sql):
    """The words that say what a statement is."""
    text = re.sub(r"/\*.*?\*/", " ", sql).lstrip("( ")
    words = [word.upper() for word in re.findall(r"[A-Za-z_]+|\S", text)] or [";"]
    if not words[0].isalpha():
        return "(other)"
    if words[0] == "EXPLAIN" or words[0] in ("DESC", "DESCRIBE"):
        return "EXPLAIN ANALYZE" if "ANALYZE" in words[:4] else words[0]
    if words[0] == "COPY":
        return "COPY … TO" if " TO " in f" {text.upper()} " else "COPY … FROM"
    if words[0] == "WITH":
        return "WITH …"
    if words[0] not in ABOUT:
        return words[0]
    after = [word for word in words[1:] if word not in FILLERS]
    about = after[0] if after else ""
    if words[0] == "SET" and about not in KEPT_OF_SET:
        return "SET name"
    if words[0] in ("SHOW", "RESET", "LOCK", "COMMENT") or not about.isalpha():
        return words[0]
    return f"{words[0]} {about}"


def needs(want):
    """The permissions of one `=>` line, without the objects."""
    found = []
    for alternative in want.split("|")[0].split(" or "):
        words = []
        for part in alternative.split(";"):
            word = part.split()[0] if part.split() else "use"
            word = WORDS.get(word, f"`{word}`")
            if word not in words:
                words.append(word)
        found.append(", ".join(sorted(words, key=lambda word: (ORDER.index(word) if word in ORDER else -1))))
    return " or ".join(dict.fromkeys(found))


if __name__ == "__main__":
    main()
