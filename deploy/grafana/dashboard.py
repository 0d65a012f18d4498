#!/usr/bin/env python3
"""Makes the Grafana dashboard, tidegate.json beside this file, from the lists below.

    deploy/grafana/dashboard.py            writes it
    deploy/grafana/dashboard.py --check    fails if the file is not what this makes

Change the lists and not the file. Every expression here is run against a real Prometheus by deploy/prometheus/check.
"""

import json
import os
import sys

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tidegate.json")
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# What every expression is narrowed to; the variables are below.
GATE = 'job=~"$job", instance=~"$instance"'
TARGET = f'{GATE}, target=~"$target"'
WIDTH = 24


def rate(metric, labels, by):
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


def quantile(share, metric, labels, by=""):
    by = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket{{{labels}}}[$__rate_interval])))"


def quantiles(metric, labels):
    return [(quantile(share, metric, labels), f"p{round(share * 100)}") for share in (0.5, 0.95, 0.99)]


# (title, unit, what it tells, [(expression, legend)]); a number in front of the title makes it a figure of that width.
ROWS = [
    ("Overview", [
        (4, "Gateways", "short", "That answer Prometheus.", [(f"sum(up{{{GATE}}})", "")]),
        (4, "Targets down", "short", "Upstreams that do not let a gateway in on every lane.",
         [(f"sum(1 - tidegate_target_up{{{TARGET}}})", "")]),
        (4, "Audit log unwritable", "short", "Gateways that refuse statements for that reason.",
         [(f"sum(tidegate_audit_unhealthy{{{GATE}}})", "")]),
        (4, "Sessions", "short", "Open now.", [(f"sum(tidegate_sessions{{{TARGET}}})", "")]),
        (4, "Statements", "reqps", "Judged in a second.", [(f"sum(rate(tidegate_statements_total{{{TARGET}}}[$__rate_interval]))", "")]),
        (4, "Grants in force", "short", "Without the standing ones of policy.", [(f"max(tidegate_grants_live{{{GATE}}})", "")]),
    ]),
    ("Statements", [
        ("Allowed and refused", "reqps", "Statements judged, by decision.",
         [(rate("tidegate_statements_total", TARGET, "decision"), "{{decision}}")]),
        ("Refused, by what was missing", "reqps", "none: no grant at all, or not understood.",
         [(rate("tidegate_statements_total", f'{TARGET}, decision="deny"', "permission"), "{{permission}}")]),
        ("Allowed, by what was needed", "reqps", "none: any grant was enough.",
         [(rate("tidegate_statements_total", f'{TARGET}, decision="allow"', "permission"), "{{permission}}")]),
        ("What the gate adds", "s", "Facts, decision, start record and lease, before a statement goes out.",
         quantiles("tidegate_statement_gate_seconds", TARGET)),
        ("Statements as a whole", "s", "From the last byte in to the end record.",
         quantiles("tidegate_statement_seconds", TARGET)),
        ("Texts that were known", "percentunit", "Share of look-ups that the cache of facts answered.",
         [(f'sum(rate(tidegate_facts_cache_lookups_total{{{GATE}, result="hit"}}[$__rate_interval])) / '
           f"sum(rate(tidegate_facts_cache_lookups_total{{{GATE}}}[$__rate_interval]))", "hits")]),
        ("Texts in the cache of facts", "short", "", [(f"tidegate_facts_cache_entries{{{GATE}}}", "{{instance}}")]),
        ("Statements stopped", "reqps", "Cancelled by their clients, or because their grant ended.",
         [(f"sum(rate(tidegate_cancel_requests_total{{{GATE}}}[$__rate_interval]))", "asked to stop")]),
    ]),
    ("Sessions and logins", [
        ("Sessions", "short", "Open now.", [(f"sum by (target) (tidegate_sessions{{{TARGET}}})", "{{target}}")]),
        ("Sessions opened", "reqps", "", [(rate("tidegate_sessions_total", TARGET, "target"), "{{target}}")]),
        ("Logins", "reqps", "By how they went.", [(rate("tidegate_logins_total", GATE, "result"), "{{result}}")]),
    ]),
    ("Upstream", [
        ("Targets", "short", "1: lets the gateway in on every lane.",
         [(f"min by (target) (tidegate_target_up{{{TARGET}}})", "{{target}}")]),
        ("Connections", "short", "By lane and state.",
         [(f"sum by (lane, state) (tidegate_pool_connections{{{TARGET}}})", "{{lane}} {{state}}")]),
        ("Sessions that wait for a connection", "short", "",
         [(f"sum by (target, lane) (tidegate_pool_waiting{{{TARGET}}})", "{{target}} {{lane}}")]),
        ("Sessions tied to a connection", "short", "By why; a session counts under each of its reasons.",
         [(f"sum by (reason) (tidegate_sessions_pinned{{{TARGET}}})", "{{reason}}")]),
        ("Sessions tied", "reqps", "", [(rate("tidegate_pins_total", TARGET, "reason"), "{{reason}}")]),
        ("Connections lent", "reqps", "", [(rate("tidegate_pool_leases_total", TARGET, "target, lane"), "{{target}} {{lane}}")]),
        ("Connections that came back", "reqps", "By what it took to lend them again.",
         [(rate("tidegate_pool_returns_total", TARGET, "kind"), "{{kind}}")]),
        ("Wait for a connection", "s", "", quantiles("tidegate_pool_wait_seconds", TARGET)),
        ("Failures", "reqps", "dial, login, lost, reset, wait: see docs/metrics.md.",
         [(rate("tidegate_upstream_errors_total", TARGET, "target, kind"), "{{target}} {{kind}}")]),
        ("Failovers", "short", "Times in the last hour that a lane's connections were given up.",
         [(f"sum by (target, lane) (increase(tidegate_pool_failovers_total{{{TARGET}}}[1h]))", "{{target}} {{lane}}")]),
        ("Logins held up", "reqps", "New connections that had to wait for their turn.",
         [(rate("tidegate_upstream_logins_held_up_total", TARGET, "target"), "{{target}}")]),
        ("Accounts that hold too much", "short", "1: more than the lane needs.",
         [(f"max by (target, lane) (tidegate_account_excess{{{TARGET}}})", "{{target}} {{lane}}")]),
    ]),
    ("Policy and grants", [
        ("Grants in force", "short", "", [(f"tidegate_grants_live{{{GATE}}}", "{{instance}}")]),
        ("Snapshot", "short", "Gateways of one store should agree.", [(f"tidegate_snapshot_version{{{GATE}}}", "{{instance}}")]),
        ("Policies read", "short", "In the last hour; after rejected the old one stays in force.",
         [(f"sum by (result) (increase(tidegate_policy_reloads_total{{{GATE}}}[1h]))", "{{result}}")]),
        ("Gateways with another policy", "short", "Each gateway reads files of its own; they should be the same.",
         [(f"max by (instance) (tidegate_gateways_with_another_policy{{{GATE}}})", "{{instance}}")]),
        ("Revocation to stop", "s", "From the end of a grant to telling the upstream to stop.",
         quantiles("tidegate_revocation_delay_seconds", GATE)),
        ("Change at another gateway to its effect here", "s", "", quantiles("tidegate_replica_delay_seconds", GATE)),
        ("Asked of other gateways", "reqps", "Cancel requests and KILL; lost: the store did not answer, or too many came.",
         [(rate("tidegate_replica_errands_total", GATE, "result"), "{{result}}")]),
        ("Refusals that the store could not take", "reqps", "",
         [(f"sum(rate(tidegate_denials_not_kept_total{{{GATE}}}[$__rate_interval]))", "not kept")]),
    ]),
    ("Audit", [
        ("Records", "reqps", "", [(rate("tidegate_audit_records_total", GATE, "instance"), "{{instance}}")]),
        ("Bytes", "Bps", "", [(rate("tidegate_audit_bytes_total", GATE, "instance"), "{{instance}}")]),
        ("Append", "s", "Each statement pays it twice.", quantiles("tidegate_audit_append_seconds", GATE)),
        ("Records refused", "reqps", "Their statements did not run.",
         [(rate("tidegate_audit_refused_records_total", GATE, "instance"), "{{instance}}")]),
        ("Records that the disk does not have yet", "short", "Under durability disk.",
         [(f"tidegate_audit_lag_records{{{GATE}}}", "{{instance}}")]),
        ("Files of the log", "short", "", [(f"tidegate_audit_files{{{GATE}}}", "{{instance}}")]),
        ("Rotations", "short", "In the last hour.",
         [(f"sum by (instance) (increase(tidegate_audit_rotations_total{{{GATE}}}[1h]))", "{{instance}}")]),
        ("Records that a sink has not sent", "short", "They are in the log.",
         [(f"tidegate_audit_sink_lag_records{{{GATE}}}", "{{instance}} {{sink}}")]),
        ("Sinks that could not send", "short", "Times in the last hour; each tries again.",
         [(f"sum by (instance, sink) (increase(tidegate_audit_sink_failures_total{{{GATE}}}[1h]))",
           "{{instance}} {{sink}}")]),
        ("Old files held for sinks", "short", "1: a sink has not read them.",
         [(f"tidegate_audit_held_for_sinks{{{GATE}}}", "{{instance}}")]),
        ("Removed before every sink had read them", "short", "Records in the last hour.",
         [(f"sum by (instance) (increase(tidegate_audit_unread_removed_records_total{{{GATE}}}[1h]))", "{{instance}}")]),
        ("Checkpoints that failed", "short", "In the last hour.",
         [(f"sum by (instance) (increase(tidegate_audit_checkpoint_failures_total{{{GATE}}}[1h]))", "{{instance}}")]),
        ("Clock behind the last record", "short", "Appends in the last hour.",
         [(f"sum by (instance) (increase(tidegate_audit_clock_steps_total{{{GATE}}}[1h]))", "{{instance}}")]),
    ]),
    ("Events", [
        ("Told to webhooks", "reqps", "By what became of it; dead: given up.",
         [(rate("tidegate_webhook_deliveries_total", GATE, "webhook, result"), "{{webhook}} {{result}}")]),
        ("Webhooks' answers", "s", "", quantiles("tidegate_webhook_seconds", GATE)),
        ("Slack", "reqps", "Clicks, forms and commands.",
         [(rate("tidegate_slack_interactions_total", GATE, "result"), "{{result}}")]),
        ("Events that wait", "short", "To be passed on, up to 200.",
         [(f"max by (consumer) (tidegate_events_waiting{{{GATE}}})", "{{consumer}}")]),
    ]),
    ("Process", [
        ("Memory", "bytes", "", [(f"tidegate_process_resident_bytes{{{GATE}}}", "{{instance}}")]),
        ("Processors in use", "short", "", [(rate("tidegate_process_cpu_seconds_total", GATE, "instance"), "{{instance}}")]),
        ("Open files", "short", "", [(f"tidegate_process_open_fds{{{GATE}}}", "{{instance}}")]),
        ("Threads", "short", "", [(f"tidegate_process_threads{{{GATE}}}", "{{instance}}")]),
        ("Versions", "short", "", [(f"count by (version) (tidegate_build_info{{{GATE}}})", "{{version}}")]),
    ]),
]

VARIABLES = [
    ("job", "label_values(tidegate_build_info, job)"),
    ("instance", 'label_values(tidegate_build_info{job=~"$job"}, instance)'),
    ("target", 'label_values(tidegate_target_up{job=~"$job", instance=~"$instance"}, target)'),
]


def dashboard():
    panels, top, number = [], 0, 0
    for title, row in ROWS:
        number += 1
        panels.append({"id": number, "type": "row", "title": title, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1}})
        top, left, height = top + 1, 0, 0
        for entry in row:
            number += 1
            is_figure = isinstance(entry[0], int)
            width, entry = (entry[0], entry[1:]) if is_figure else (8, entry)
            if left + width > WIDTH:
                top, left = top + height, 0
            height = 4 if is_figure else 7
            panels.append(panel(number, is_figure, entry, {"x": left, "y": top, "w": width, "h": height}))
            left += width
        top += height
    return {
        "uid": "tidegate", "title": "Tidegate", "tags": ["tidegate"], "schemaVersion": 39, "version": 1,
        "editable": True, "refresh": "30s", "timezone": "", "time": {"from": "now-6h", "to": "now"},
        "annotations": {"list": []}, "links": [], "panels": panels,
        "templating": {"list": [
            {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
            *[{"name": name, "type": "query", "datasource": SOURCE, "definition": query,
               "query": {"query": query, "refId": name}, "refresh": 2, "multi": True, "includeAll": True,
               "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}} for name, query in VARIABLES],
        ]},
    }


def panel(number, is_figure, entry, place):
    title, unit, about, queries = entry
    one = {
        "id": number, "title": title, "description": about, "type": "stat" if is_figure else "timeseries",
        "datasource": SOURCE, "gridPos": place,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [{"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
                    for index, (expression, legend) in enumerate(queries)],
    }
    if is_figure:
        one["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"}
    else:
        one["options"] = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    return one


def main():
    text = json.dumps(dashboard(), indent=1) + "\n"
    if sys.argv[1:] == ["--check"]:
        with open(FILE, encoding="utf-8") as file:
            sys.exit(None if file.read() == text else f"{FILE} is not what {sys.argv[0]} makes: run it without --check")
    with open(FILE, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
