"""The lifeline: a program that starts a laboratory, says where everything is, and does what it is told."""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys

from .laboratory import Lab
from .machine import LabError
from .postgres import DATABASE
from .scram import log_in


def main():
    """Starts, says where, serves, ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    parser = argparse.ArgumentParser()
    parser.add_argument("--servers", default="postgres", help="postgres, mariadb, mysql; several with commas")
    parser.add_argument("--gateway", help="the program `tidegate`")
    parser.add_argument("--settings", type=json.loads, default={}, help="arguments of Lab.configure")
    parser.add_argument("--no-data", action="store_true")
    options = parser.parse_args()
    with Lab() as lab:
        try:
            for server in options.servers.split(","):
                if server == "postgres":
                    lab.start_postgres(data=not options.no_data)
                else:
                    lab.start_mysql(server, data=not options.no_data)
            if options.gateway:
                lab.log_level = os.environ.get("TIDEGATE_TEST_LOG", "info")
                lab.start_gateway(options.gateway, **options.settings)
        except LabError as problem:
            print(json.dumps({"error": str(problem)}), flush=True)
            sys.exit(1)
        print(json.dumps(lab.where()), flush=True)
        _serve(lab)


def _serve(lab):
    """Does one order a line until the input ends: {"do": "cli", "arguments": […]} and so on."""
    held = []
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = _ORDERS[order.pop("do")](lab, held, **order)
        except (LabError, subprocess.TimeoutExpired, OSError) as problem:
            answer = {"error": str(problem)}
        print(json.dumps(answer), flush=True)


def _stop_gateway(lab, _, signal_name):
    lab.gateway.send_signal(getattr(signal, signal_name))
    return {"code": lab.gateway.wait(20)}


def _start_gateway(lab, _):
    lab.run_gateway()
    return lab.where()


def _stop_server(lab, _, server, signal_name):
    process = lab.postgres if server == "postgres" else lab.mysql[server].process
    process.send_signal(getattr(signal, signal_name))
    return {"code": process.wait(20)}


def _start_server(lab, _, server):
    if server == "postgres":
        lab.run_postgres()
    else:
        lab.mysql[server].run()
    return lab.where()


def _sql(lab, _, server, sql, database=DATABASE):
    if server == "standby":
        return {"out": lab.standby.sql(sql, database)}
    return {"out": lab.psql(sql, database) if server == "postgres" else lab.mysql[server].sql(sql, database)}


def _cli(lab, _, arguments, stdin=""):
    out, code = lab.cli(*arguments, stdin=stdin)
    return {"out": out, "code": code}


def _hangup(lab, _):
    lab.gateway.send_signal(signal.SIGHUP)
    return {}


def _idle(_, held, port, user, password, count):
    held += [log_in(port, user, password) for _ in range(count)]
    return {}


def _certificate(lab, _, name, common_name, alternatives):
    lab.certificate(name, common_name, alternatives)
    return {}


def _aws(lab, _, **knobs):
    lab.aws.knobs.update(knobs)
    return {"log": lab.aws.log, "secrets": [one[what] for one in lab.aws.identities.values() for what in ("secret", "session")]}


def _fail_over(lab, _):
    """What follows takes writes from now on, and the writer's name leads to it."""
    lab.standby.promote()
    lab.switches["writer"].to = lab.standby.port
    return {}


def _add_person(lab, _, name):
    lab.add_person(name)
    return {"password": lab.people[name]}


def _grant(lab, _, **what):
    return {"id": lab.grant(**what)}


_ORDERS = {"stop_gateway": _stop_gateway, "start_gateway": _start_gateway, "stop_server": _stop_server,
           "start_server": _start_server, "where": lambda lab, _: lab.where(), "sql": _sql, "cli": _cli,
           "aws": _aws, "fail_over": _fail_over, "hangup": _hangup, "idle": _idle, "certificate": _certificate, "add_person": _add_person, "grant": _grant}
