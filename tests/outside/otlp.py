#!/usr/bin/env python3
"""A receiver of OpenTelemetry's logs for tests, which takes only what OpenTelemetry's own definitions can read.

Told what to do on standard input, a JSON object a line; answers each with one on standard output.
"""

import http.server
import json
import os
import sys
import threading

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as service

TAKEN, REFUSED = [], []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            assert (self.path, self.headers["content-type"]) == ("/v1/logs", "application/json")
            # Strict: a field that the definitions do not have is an error.
            request = json_format.Parse(body, service.ExportLogsServiceRequest())
        except Exception as error:
            REFUSED.append(repr(error))
            return self.answer(400, b"{}")
        for resource in request.resource_logs:
            of = {it.key: it.value.string_value for it in resource.resource.attributes}
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    attributes = {it.key: it.value.string_value or it.value.int_value for it in record.attributes}
                    TAKEN.append({
                        "resource": of, "scope": scope.scope.name, "line": record.body.string_value,
                        "at_us": record.time_unix_nano // 1000, "severity": record.severity_number,
                        "event": record.event_name, "attributes": attributes,
                    })
        self.answer(200, json_format.MessageToJson(service.ExportLogsServiceResponse()).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for line in sys.stdin:
        asked = json.loads(line)["do"]
        answer = {"where": server.server_port, "read": {"taken": TAKEN, "refused": REFUSED}}[asked]
        print(json.dumps({"answer": answer}), flush=True)
    os._exit(0)


main()
