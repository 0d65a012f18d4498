#!/usr/bin/env python3
"""A bot that approves harmless requests: told of them by a webhook, it answers through the API.

Needs Python 3.8 and nothing else. What it needs to know is in the environment:
    BOT_SECRET_FILE   the signing secret of the webhook ("whsec_…"), as in tidegate.yaml
    TIDEGATE_API      address of the gateway's API, for example https://gate.example:6480
    TIDEGATE_KEY_FILE a service key of the bot's own principal, with the scope "review"
    BOT_ADDRESS       where it listens; 127.0.0.1:8808 if left out
"""
import base64
import hashlib
import hmac
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HARMLESS = {"explain", "select"}
TICKET = re.compile(r"\b[A-Z]{2,10}-[0-9]+\b")
MOST_BYTES = 1 << 20
TOLERANCE_SECONDS = 300


def is_genuine(secret, headers, body, now):
    """Whether the gateway signed this, a short while ago (Standard Webhooks, https://www.standardwebhooks.com)."""
    identifier, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret[len("whsec_"):])
    signed = hmac.new(key, f"{identifier}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(signed).decode()
    signatures = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected.encode(), signature.encode()) for signature in signatures)


def why(request):
    """Why the bot approves a request; None leaves it to people."""
    if request["statement"] or not set(request["permissions"]) <= HARMLESS or request["risk"] == "high":
        return None
    ticket = TICKET.search(f'{request.get("ticket") or ""} {request["reason"]}')
    return f"reads for {ticket.group()}" if ticket else None


def approve(api, key, request, comment):
    """Answers a request; that somebody was faster is fine, too."""
    call = urllib.request.Request(
        f"{api}/api/v1/requests/{request}/reviews", method="POST",
        data=json.dumps({"verdict": "approve", "comment": comment}).encode(),
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"})
    try:
        urllib.request.urlopen(call, timeout=5).close()
    except urllib.error.HTTPError as error:
        with error:
            code = json.load(error).get("code")
        if code not in ("settled", "answered_already", "expired"):
            raise RuntimeError(f"the gateway answers {error.code} {code}") from error


class Told(BaseHTTPRequestHandler):
    """One call of the gateway."""

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        if length > MOST_BYTES:
            return self.answer(413)
        body = self.rfile.read(length)
        if not is_genuine(self.server.secret, self.headers, body, time.time()):
            return self.answer(401)
        event = json.loads(body)
        request = event["data"]
        comment = why(request) if event["type"] == "request_created" and request["state"] == "pending" else None
        if comment:
            try:
                approve(self.server.api, self.server.key, request["request"], comment)
            except (OSError, RuntimeError, ValueError) as error:
                print(f"request {request['request']}: {error}", file=sys.stderr, flush=True)
                return self.answer(502)  # The gateway tells it again.
            print(f"request {request['request']} approved: {comment}", flush=True)
        return self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Says nothing of its own."""


def main():
    def secret(variable):
        with open(os.environ[variable], encoding="utf-8") as file:
            return file.read().strip()

    host, port = os.environ.get("BOT_ADDRESS", "127.0.0.1:8808").rsplit(":", 1)
    server = ThreadingHTTPServer((host, int(port)), Told)
    server.secret, server.key = secret("BOT_SECRET_FILE"), secret("TIDEGATE_KEY_FILE")
    server.api = os.environ.get("TIDEGATE_API", "http://127.0.0.1:6480").rstrip("/")
    print(f"listening on {host}:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
