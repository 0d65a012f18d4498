#!/usr/bin/env python3
"""Writes an audit log of many records, to measure searching it: benches/audit_log.py FOLDER RECORDS.

The log is whole: `tidegate audit verify FOLDER/audit.jsonl` says so. The same seed gives the same log. It is the log of
one gateway over fifteen days: 400 people, of whom few send most; 12 targets; 900 tables; sessions of some hundred
statements; about two statements in a hundred refused; 300 forms of text with values in them, a fifth
of them bound; everybody has three places and forty of the forms.
Statements are written as the gateway writes them, their end some records behind their start.

Written apart from the gateway on purpose: its chain is made here from what docs/audit.md says.
"""

import argparse
import collections
import hashlib
import itertools
import os
import random
import uuid

DAY_US = 86_400_000_000
BEGIN_US = 1_790_000_000_000_000
GATEWAY = "gate-1"


def stamp(at_us, cache={}):
    """An instant as the log writes it; the part up to the minute is kept."""
    minute, rest = divmod(at_us, 60_000_000)
    text = cache.get(minute)
    if text is None:
        import datetime

        cache.clear()
        moment = datetime.datetime.fromtimestamp(minute * 60, datetime.timezone.utc)
        text = cache[minute] = moment.strftime("%Y-%m-%dT%H:%M:")
    return f"{text}{rest // 1_000_000:02}.{rest % 1_000_000:06}Z"


class Log:
    """The chain, over files that follow each other."""

    def __init__(self, folder, rotate_bytes):
        self.path = os.path.join(folder, "audit.jsonl")
        self.folder, self.rotate_bytes = folder, rotate_bytes
        self.seq, self.prev, self.at = 0, "0" * 64, BEGIN_US
        self.name = str(uuid.UUID(int=random.getrandbits(128), version=4))
        self.open()
        self.write(f'"event":"log_created","format":1,"log":"{self.name}"')

    def open(self):
        self.file = open(self.path, "xb", buffering=1 << 20)
        os.chmod(self.path, 0o600)
        self.first, self.size = self.seq, 0

    def write(self, record):
        covered = (
            f'{{"seq":{self.seq},"at":"{stamp(self.at)}","prev":"{self.prev}","gateway":"{GATEWAY}",{record}'
        ).encode()
        self.prev = hashlib.sha256(covered).hexdigest()
        line = b'%b,"hash":"%b"}\n' % (covered, self.prev.encode())
        self.file.write(line)
        self.seq += 1
        self.size += len(line)
        if self.size >= self.rotate_bytes:
            self.rotate()

    def rotate(self):
        self.file.close()
        kept = f"audit-{self.first:020}.jsonl"
        os.rename(self.path, os.path.join(self.folder, kept))
        self.open()
        self.write(f'"event":"log_continued","format":1,"log":"{self.name}","before":"{kept}"')

    def close(self):
        self.file.close()


class Choice:
    """One of many, few of them often: the n-th with a weight of 1/n."""

    def __init__(self, items):
        self.items = items
        self.weights = list(itertools.accumulate(1 / (n + 1) for n in range(len(items))))
        self.ready = []

    def one(self):
        if not self.ready:
            self.ready = random.choices(self.items, cum_weights=self.weights, k=64)
        return self.ready.pop()


WORDS = (
    "account address amount audit balance batch booking branch budget campaign card cart category charge city claim "
    "client code comment contact contract country coupon currency customer delivery device discount document domain "
    "employee event expense feature fee file goal group holiday image income index invoice item job journal key label "
    "lead ledger letter level license limit location login manager market member message meter method mode module name "
    "note number offer office option order owner package page parcel partner part path payment payroll period permit "
    "person phase phone place plan point policy position post price product profile project promotion property "
    "purchase quarter queue quote rate reason receipt record refund region report request reserve result return review "
    "role route rule salary sale schedule score season section segment service session setting shift shop site source "
    "stage state status step stock store street subject supplier survey table target task tax team term ticket title "
    "token tour track trade transfer trip type unit update user value vendor version view visit voucher week wish year"
).split()
NAMES = "Ann Bo Zoë Dana Ivo Mia Noor Omar Pia Quin Rosa Sam Tove Uma Vera Wim Xin Yara Zeno Lars Kaja Jon".split()


def texts(tables):
    """Forms of statements: (kind, mode, table, number of a form)."""
    forms = []
    for number in range(300):
        table = tables[int(random.random() ** 2 * len(tables))]
        a, b, c = random.sample(WORDS, 3)
        kind, mode, text = random.choices(
            [
                ("select", "read", f"SELECT {a}, {b} FROM {table} WHERE {c}_id = %n"),
                ("select", "read", f"SELECT count(*) FROM {table} WHERE {a} = %s AND {b} > %n"),
                ("select", "read", f"SELECT {a}, sum({b}) AS total FROM {table} GROUP BY {a} ORDER BY 2 DESC LIMIT %n"),
                ("select", "read", f"SELECT {a}, {b}, {c} FROM {table} WHERE {a}_id = $1 AND {b} = $2"),
                ("insert", "write", f"INSERT INTO {table} ({a}, {b}, {c}) VALUES (%s, %n, %s)"),
                ("update", "write", f"UPDATE {table} SET {a} = %s WHERE {b}_id = %n"),
                ("delete", "write", f"DELETE FROM {table} WHERE {a}_id = %n"),
                ("define", "define", f"ALTER TABLE {table} ADD COLUMN {a}_{number} text"),
            ],
            weights=[30, 12, 8, 20, 12, 12, 3, 0.3],
        )[0]
        forms.append((kind, mode, table, text, f"{random.getrandbits(64):016x}"))
    return forms


def write(log, count):
    people = [f"{name.lower()}.{word}" for name in NAMES if name.isascii() for word in WORDS[:19]][:400]
    random.shuffle(people)
    schemas = ["public", "sales", "hr", "billing"]
    tables = [f"{random.choice(schemas)}.{a}_{b}" for a, b in random.sample(list(itertools.product(WORDS, WORDS)), 900)]
    places = [(target, f"{target}_{ending}") for target in
              ["hr", "shop", "billing", "crm", "stock", "web", "bi", "ops", "mail", "geo", "pay", "log"]
              for ending in ["prod", "test"]]
    forms = texts(tables)
    person = Choice(people)
    # Everybody works at a few places and does the same things again and again.
    work = {who: (Choice(random.sample(places, 3)), Choice(random.sample(forms, 40))) for who in people}
    sessions, waiting = [], collections.deque()
    step = 30 * DAY_US // count
    while log.seq < count:
        log.at += int(random.random() * 2 * step) + 1
        if len(sessions) < 60:
            who = person.one()
            target, database = work[who][0].one()
            half = f"{random.getrandbits(64) & 0x3fffffffffffffff | 0x8000000000000000:016x}"
            ident = uuid.UUID(f"{log.at // 1000:012x}7{random.getrandbits(12):03x}{half}")
            actor = (
                f'"session":"{ident}","principal":"{who}","client":"10.1.{random.randrange(256)}.7:40404",'
                f'"application":"app","target":"{target}","database":"{database}"'
            )
            bytes_of = bytearray.fromhex(half)
            bytes_of[6] = bytes_of[6] & 0x0F | 0x80
            grant = (
                "standing:developers/0" if random.random() < 0.7
                else str(uuid.UUID(int=random.getrandbits(128), version=4))
            )
            sessions.append([actor, bytes_of.hex(), 0, 40 + int(random.expovariate(1 / 200)), ident, who, grant])
            log.write(f'"event":"login",{actor},"method":"password","tls":"TLSv1.3"')
            continue
        session = sessions[int(random.random() * len(sessions))]
        actor, half, number, most, ident, who, grant = session
        if number >= most:
            sessions.remove(session)
            log.write(f'"event":"session_end","session":"{ident}","principal":"{who}","reason":"client closed",'
                      f'"statements":{number}')
            continue
        session[2] += 1
        tail = f"{number + 1:016x}"
        tail = f"{int(tail[0], 16) & 3 | 8:x}{tail[1:]}"
        statement = f"{half[:8]}-{half[8:12]}-{half[12:]}-{tail[:4]}-{tail[4:]}"
        kind, mode, table, text, fingerprint = work[who][1].one()
        while "%" in text:
            text = text.replace("%n", str(int(random.random() ** 3 * 5_000_000)), 1)
            text = text.replace("%s", f"'{random.choice(NAMES)}{random.randrange(20_000)}'", 1)
        head = (
            f'"event":"statement_start","statement":"{statement}",{actor},"sql":"{text}",'
            f'"fingerprint":"{fingerprint}","kind":"{kind}","objects":[{{"name":"{table}","mode":"{mode}"}}]'
        )
        if random.random() < 0.02:
            log.write(f'{head},"decision":"deny","sqlstate":"42501","message":"permission denied: select on {table}",'
                      f'"missing":["select on {table}"]')
            continue
        lane = "read" if mode == "read" else "write"
        log.write(f'{head},"decision":"allow","lane":"{lane}","grants":["{grant}"]')
        waiting.append(
            f'"event":"statement_end","statement":"{statement}","session":"{ident}","outcome":"completed",'
            f'"rows":{int(random.random() ** 4 * 500)},"bytes":{int(random.random() ** 4 * 50_000)},'
            f'"duration_us":{int(random.expovariate(1 / 3000))},"sqlstate":null,"upstream_pid":4711'
        )
        if len(waiting) > 8:
            log.write(waiting.popleft())
    while waiting:
        log.write(waiting.popleft())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("records", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rotate-bytes", type=int, default=1 << 30)
    wanted = parser.parse_args()
    random.seed(wanted.seed)
    os.makedirs(wanted.folder, exist_ok=True)
    log = Log(wanted.folder, wanted.rotate_bytes)
    write(log, wanted.records)
    log.close()
    print(f"{log.seq} records in {wanted.folder}")


if __name__ == "__main__":
    main()
