"""Reads OTLP/JSON export requests, one a line, as opentelemetry-proto does, and prints their spans as JSON.

The JSON of OTLP is that of Protobuf but for identifiers, which are hexadecimal digits in it and base64 there (OTLP 1.x,
"JSON Protobuf Encoding"). Unknown fields and values of a wrong type end this with an error.
"""

import base64
import json
import sys

from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

IDENTIFIERS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


def with_base64(value):
    if isinstance(value, list):
        return [with_base64(it) for it in value]
    if not isinstance(value, dict):
        return value
    return {key: identifier(it, IDENTIFIERS[key]) if key in IDENTIFIERS else with_base64(it)
            for key, it in value.items()}


def identifier(text, length):
    decoded = bytes.fromhex(text)
    assert len(decoded) == length and any(decoded), text
    return base64.b64encode(decoded).decode()


def attributes(pairs):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


for line in sys.stdin:
    request = Parse(json.dumps(with_base64(json.loads(line))), ExportTraceServiceRequest())
    for of in request.resource_spans:
        for scope in of.scope_spans:
            for span in scope.spans:
                assert span.end_time_unix_nano >= span.start_time_unix_nano > 0
                print(json.dumps({
                    "resource": attributes(of.resource.attributes), "scope": scope.scope.name, "name": span.name,
                    "trace": span.trace_id.hex(), "span": span.span_id.hex(), "parent": span.parent_span_id.hex(),
                    "kind": Span.SpanKind.Name(span.kind), "attributes": attributes(span.attributes),
                    "status": Status.StatusCode.Name(span.status.code),
                    "began": span.start_time_unix_nano, "ended": span.end_time_unix_nano,
                }))
