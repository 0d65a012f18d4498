"""The story of the demo, played with the real clients: psql before PostgreSQL, mariadb before MariaDB."""

import dataclasses
import os
import re
import subprocess
import sys
import threading
import time

import lab as laboratory

COLOUR = sys.stdout.isatty()
UUID = r"[0-9a-f]{8}-[0-9a-f-]{27}"


@dataclasses.dataclass(frozen=True)
class Tongue:
    """How the same is said and answered before one kind of server."""

    server: str
    client: str
    prompt: str
    table: str
    slow: str
    refused: tuple
    refused_salary: tuple
    three_rows: str
    cancelled: str
    counted: str


TONGUES = [
    Tongue(server="postgres", client="psql", prompt="dana@hr_prod=>", table="public.employee",
           slow="SELECT count(pg_sleep(0.01)) FROM employee;",
           refused=(r"ERROR:  42501: permission denied: select on public\.employee", "DETAIL:", "HINT:"),
           refused_salary=("ERROR:  42501", r"public\.salary"), three_rows=r"\(3 rows\)",
           cancelled="ERROR:  (57014|42501)", counted=r"\(1 row\)"),
    Tongue(server="mariadb", client="mariadb", prompt="MariaDB [hr_prod]>", table="employee",
           slow="SELECT SUM(SLEEP(0.01)) FROM employee;",
           refused=(r"ERROR 1142 \(42000\).*permission denied: select on .*employee", "tidegate"),
           refused_salary=(r"ERROR 1142 \(42000\)", "salary"), three_rows=r"\| +3 \|",
           cancelled=r"ERROR (1317|1142|1053|3024)", counted=r"\| +\d+ \|"),
]


class Tour:
    """Plays the story with a real client and holds every answer against what was told."""

    def __init__(self, lab, tongue):
        self.lab, self.tongue = lab, tongue
        self.wrong = []
        self.dana = Shell(lab, tongue, "dana")

    def play(self):
        """The story. Gives what was not as told."""
        tongue = self.tongue
        employee = "SELECT employee_no, first_name, hired_on FROM employee ORDER BY employee_no LIMIT 3;"
        salary = "SELECT max(amount) FROM salary;"

        chapter("Dana is a developer. Her standing grant lets her look at plans, so EXPLAIN is fine.")
        self.ask("EXPLAIN SELECT * FROM employee WHERE employee_no = 42;", ["employee|const"], ["ERROR"])

        chapter("Reading rows is something else: refused, with what is missing and how to ask for it.")
        if tongue.server == "postgres":
            self.ask("\\set VERBOSITY verbose", [], ["ERROR"])
        refusal = self.ask(employee, tongue.refused, ["first_name "])

        chapter("She asks for it by the number in the refusal. Nobody approves their own request; Ada may.")
        self.log_in("dana")
        self.log_in("ada")
        denial = found_in(r"--denial ([0-9a-f]{8})", refusal)
        out = self.person("dana", "request", "create", "--denial", denial, "--for", "10m", "--reason", "INC-41")
        request = found_in(rf"Request ({UUID}) is pending", out)
        self.person("dana", "review", "approve", request, refused="nobody reviews their own request")
        self.ask(employee, tongue.refused, [tongue.three_rows])
        self.person("ada", "review", "list")
        grant = found_in(rf"Grant ({UUID})", self.person("ada", "review", "approve", request, "--comment", "go ahead"))

        chapter("Her open session has it at its next statement, and loses it when Ada takes it back.")
        self.ask(employee, [tongue.three_rows], ["ERROR"])
        self.person("ada", "grant", "revoke", grant, "--reason", "INC-41 is closed")
        self.ask(employee, tongue.refused, [tongue.three_rows])
        self.person("dana", "events", "--kind", "request_created,request_approved,grant_started,grant_revoked")

        chapter("An administrator grants her select on one table for two minutes.")
        grant = self.grant("2m", "INC-42")

        chapter("Her open session simply goes on: employee is readable now, salary still is not.")
        self.ask(employee, [tongue.three_rows], ["ERROR"])
        self.ask(salary, tongue.refused_salary, [tongue.counted])

        chapter("She starts something slow; the grant is revoked; it ends at once.")
        self.slow_until(lambda: self.admin("grant", "revoke", grant, "--reason", "INC-42 is closed"), within=2.0)
        self.ask(employee, tongue.refused, [tongue.three_rows])

        chapter("A grant ends by the clock, too: this one lasts five seconds.")
        began = time.monotonic()
        self.grant("5s", "INC-43")
        self.ask(employee, [tongue.three_rows], ["ERROR"])
        self.slow_until(None, within=7.0 - (time.monotonic() - began))
        self.ask(employee, tongue.refused, [tongue.three_rows])

        chapter("Every statement, allowed or refused, is in the audit log, and the log is whole.")
        log = self.lab.path("data", "audit.jsonl")
        self.shell(["sh", "-c", f"grep -c statement_start {log}"], [r"^[1-9]"])
        self.shell(["sh", "-c", f"grep statement_start {log} | tail -n 1"], ["deny", "employee"])
        self.admin("audit", "verify", log)
        self.dana.close()
        return self.wrong

    def grant(self, span, reason):
        """Gives Dana the example's grant; gives its identifier."""
        out = self.admin("grant", "create", "--to", "dana", "--target", laboratory.TARGETS[self.tongue.server], "--database",
                         "hr_prod", "--table", self.tongue.table, "--permission", "select", "--for", span, "--reason", reason)
        found = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-f]{12,}\b", out)
        return found.group(0) if found else "?"

    def ask(self, sql, must, must_not):
        """Has Dana run a statement."""
        print(f"\n{bold(self.tongue.prompt)} {sql}")
        out = self.dana.ask(sql)
        print(out, end="", flush=True)
        self.check(sql, out, must, must_not)
        return out

    def slow_until(self, event, within):
        """Starts something slow, lets `event` happen (or nothing) and wants the statement cancelled `within` seconds."""
        sql = self.tongue.slow
        print(f"\n{bold(self.tongue.prompt)} {sql}")
        answer = []
        asking = threading.Thread(target=lambda: answer.append((self.dana.ask(sql), time.monotonic())), daemon=True)
        asking.start()
        began = time.monotonic()
        if event:
            time.sleep(1)
            event()
            began = time.monotonic()
        asking.join(40)
        if not answer:
            self.wrong.append(f"{sql}: still running after 40 s")
            return
        out, at = answer[0]
        print(out, end="")
        if event:
            when = f"{at - began:.2f} s after the command" if at > began else "before the command was over"
            print(f"(ended {when})", flush=True)
        else:
            print(f"(ran for {at - began:.2f} s)", flush=True)
        self.check(sql, out, [self.tongue.cancelled], [self.tongue.counted])
        if at - began > within:
            self.wrong.append(f"{sql}: ended only after {at - began:.1f} s")

    def admin(self, *arguments):
        """Runs a command of the administrator."""
        shown = " ".join(f"'{word}'" if " " in word else word for word in arguments)
        print(f"\n{bold('administrator$')} tidegate {shown}")
        out, code = self.lab.cli(*arguments)
        print(out, end="", flush=True)
        if code:
            self.wrong.append(f"tidegate {shown}: exit code {code}")
        return out

    def log_in(self, name):
        """Gets somebody a key of their own, by their database password."""
        file = self.lab.path(f"{name}.key")
        self.command(name, ["login", name, "--password-stdin", "--save", file], None, stdin=self.lab.people[name] + "\n")

    def person(self, name, *arguments, refused=None):
        """Runs a command of somebody who has logged in; `refused` is why it must fail."""
        return self.command(name, arguments, refused, key=self.lab.path(f"{name}.key"))

    def command(self, name, arguments, refused, key=None, stdin=""):
        """Runs a command as somebody at their own prompt."""
        shown = " ".join(f"'{word}'" if " " in word else word for word in arguments)
        print(f"\n{bold(name + '$')} tidegate {shown}")
        environment = {name: value for name, value in {**os.environ, **self.lab.admin_environment()}.items()
                       if name not in ("TIDEGATE_KEY", "TIDEGATE_KEY_FILE")}
        if key:
            environment["TIDEGATE_KEY_FILE"] = key
        done = subprocess.run([self.lab.binary, *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env=environment, timeout=60, check=False)
        print(done.stdout, end="", flush=True)
        if refused:
            self.check(f"tidegate {shown}", done.stdout, [refused], [])
        if bool(done.returncode) != bool(refused):
            self.wrong.append(f"{name}: tidegate {shown}: exit code {done.returncode}")
        return done.stdout

    def shell(self, command, must):
        """Runs another command of the administrator."""
        print(f"\n{bold('administrator$')} {command[-1]}")
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
        print(out, end="", flush=True)
        self.check(command[-1], out, must, [])

    def check(self, what, out, must, must_not):
        """Notes what is missing in an answer, and what should not be there."""
        for pattern in must:
            if not re.search(pattern, out):
                self.wrong.append(f"{self.tongue.client}: {what}: the answer lacks {pattern!r}")
        for pattern in must_not:
            if re.search(pattern, out):
                self.wrong.append(f"{self.tongue.client}: {what}: the answer has {pattern!r}")


class Shell:
    """One client that stays open, fed through a pipe."""

    def __init__(self, lab, tongue, name):
        port, password = lab.ports[tongue.server], lab.people[name]
        if tongue.server == "postgres":
            command = [laboratory.postgres_bin() + "/psql", "-X", "--no-psqlrc", "-P", "pager=off"]
            environment = {**lab.libpq(port, name, password), "PGAPPNAME": "psql"}
            # Neither mark goes to the server: it prints, and the one below fails to open a file, both at once.
            self.mark = "\\warn"
        else:
            command = [*mysql_command(lab, port, name), "--table", "--force", "--unbuffered"]
            environment = {"MYSQL_PWD": password}
            self.mark = "\\."
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, bufsize=1, env={**os.environ, **environment})
        self.count = 0

    def ask(self, sql):
        """Runs `sql`; gives all that the client printed for it, whatever way it went."""
        self.count += 1
        mark = f"--- answer {self.count} ---"
        try:
            self.process.stdin.write(f"{sql}\n{self.mark} {mark}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return "the client has ended\n"
        lines = []
        for line in self.process.stdout:
            if mark in line:
                break
            lines.append(line)
        return without_echo("".join(lines))

    def close(self):
        """Logs out."""
        self.process.stdin.close()
        self.process.wait(10)


def mysql_command(lab, port, name):
    """What logs somebody in before MariaDB, all but the password."""
    return ["mariadb", "--protocol=tcp", "--host=localhost", f"--port={port}", f"--user={name}", f"--ssl-ca={lab.path('ca.crt')}",
            "--ssl-verify-server-cert", laboratory.DATABASE]


def without_echo(out):
    """mariadb repeats a statement that failed between lines of dashes; the tour has shown it already."""
    return re.sub(r"(?m)^-{5,}\n(?:.*\n)*?-{5,}\n\n?", "", out)


def found_in(pattern, text):
    """The first group of what is found; a word that names nothing if it is not there, so that the tour goes on."""
    found = re.search(pattern, text)
    return found.group(1) if found else "00000000-0000-0000-0000-000000000000"


def chapter(text):
    """A line of the narrator."""
    print(f"\n{bold('==')} {text}", flush=True)


def bold(text):
    """Set off, on a terminal."""
    return f"\x1b[1m{text}\x1b[0m" if COLOUR else text
