"""What a laboratory has of AWS: identities, the places that give them out, and the check of login tokens.

STS, the container endpoint (ECS, EKS pod identity) and the instance metadata service (version 2) on one loopback port.
Signatures are worked out here anew, from AWS's documentation, with nothing but HMAC.
"""

import datetime
import hashlib
import hmac
import http.server
import json
import secrets
import threading
import urllib.parse

ROLE = "arn:aws:iam::123456789012:role/tidegate"
REGION = "eu-central-1"


class Aws:
    """Identities and who gives them out; `knobs` make it misbehave."""

    def __init__(self):
        self.knobs = {
            "down": [],  # of sts, container, metadata: those that answer 500
            "life": 3600,  # of what is given out from now on, in seconds
            "ahead": 0,  # seconds by which the database's clock goes before ours
            "throttle": 0,  # so many logins are turned away from now on
        }
        self.identities = {}
        self.log = []
        self.web_identity = secrets.token_urlsafe(40)
        self.container_token = secrets.token_urlsafe(20)
        self.metadata_token = secrets.token_urlsafe(20)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def identity(self, life=None, session=True):
        """A new one: access key, secret key, session token, end."""
        key = ("ASIA" if session else "AKIA") + secrets.token_hex(8).upper()
        life = self.knobs["life"] if life is None else life
        end = _now() + datetime.timedelta(seconds=life)
        found = {"key": key, "secret": secrets.token_urlsafe(30) + "+/=",
                 "session": secrets.token_urlsafe(300) + "+/=" if session else None, "end": end}
        self.identities[key] = found
        return found

    def environment(self, source, lab):
        """The variables of a gateway that gets its credentials from `source`."""
        found = {name: lab.path("nowhere") for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
        found["AWS_EC2_METADATA_DISABLED"] = "true"
        found["AWS_ENDPOINT_URL_STS"] = self.url + "/sts"
        if source in ("static", "role"):
            one = self.identity(life=86400, session=source == "static")
            found.update(AWS_ACCESS_KEY_ID=one["key"], AWS_SECRET_ACCESS_KEY=one["secret"])
            if one["session"]:
                found["AWS_SESSION_TOKEN"] = one["session"]
        elif source == "profile":
            one = self.identity(life=86400, session=False)
            found["AWS_SHARED_CREDENTIALS_FILE"] = lab.write("credentials", (
                f"[default]\naws_access_key_id = AKIANOBODY\naws_secret_access_key = none\n"
                f"[db]\naws_access_key_id = {one['key']}\naws_secret_access_key = {one['secret']}\n"))
        elif source == "web_identity":
            found.update(AWS_WEB_IDENTITY_TOKEN_FILE=lab.write("web-identity", self.web_identity), AWS_ROLE_ARN=ROLE)
        elif source == "container":
            found.update(AWS_CONTAINER_CREDENTIALS_FULL_URI=self.url + "/container",
                         AWS_CONTAINER_AUTHORIZATION_TOKEN=self.container_token)
        elif source == "pod_identity":
            found.update(AWS_CONTAINER_CREDENTIALS_FULL_URI=self.url + "/container",
                         AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=lab.write("pod-identity", self.container_token))
        elif source == "metadata":
            del found["AWS_EC2_METADATA_DISABLED"]
            found["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = self.url
        return found

    def problem(self, token, endpoint, user):
        """Why a login token lets nobody in as `user` at `endpoint`; None if it does."""
        place, _, query = token.partition("/?")
        if place != endpoint:
            return f"it is for {place}"
        said = urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=True)
        fields = dict(said)
        if len(fields) != len(said):
            return "a field is there twice"
        signature = fields.pop("X-Amz-Signature", "")
        if (fields.get("Action"), fields.get("DBUser")) != ("connect", user):
            return f"it is for {fields.get('Action')} as {fields.get('DBUser')}"
        if (fields.get("X-Amz-Algorithm"), fields.get("X-Amz-SignedHeaders")) != ("AWS4-HMAC-SHA256", "host"):
            return "it is signed in another way"
        key, _, scope = fields.get("X-Amz-Credential", "").partition("/")
        identity = self.identities.get(key)
        if identity is None:
            return f"nobody has the key {key}"
        made = datetime.datetime.strptime(fields["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        if scope != f"{made:%Y%m%d}/{REGION}/rds-db/aws4_request":
            return f"its scope is {scope}"
        if fields.get("X-Amz-Security-Token") != identity["session"]:
            return "it has another session token"
        now = _now() + datetime.timedelta(seconds=self.knobs["ahead"])
        age = (now - made).total_seconds()
        if fields.get("X-Amz-Expires") != "900" or not -60 <= age <= 900:
            return f"it is {age:.0f} seconds old"
        if now > identity["end"]:
            return "its credentials have ended"
        expected = _signature(identity["secret"], scope, fields, endpoint)
        return None if hmac.compare_digest(expected, signature) else "its signature is wrong"


def _signature(secret, scope, fields, host):
    quote = urllib.parse.quote
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(fields.items()))
    request = "\n".join(["GET", "/", query, f"host:{host}", "", "host", hashlib.sha256(b"").hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", fields["X-Amz-Date"], scope, hashlib.sha256(request.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _now():
    return datetime.datetime.now(datetime.timezone.utc)


def _handler(aws):
    class Handler(http.server.BaseHTTPRequestHandler):
        """Each place says what it was asked, and gives out an identity."""

        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, status, text, kind="application/json", headers=()):
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def place(self, name):
            """Whether a place answers; says that it was asked."""
            aws.log.append({"place": name, "path": self.path})
            if name in aws.knobs["down"]:
                self.answer(500, "{}")
                return False
            return True

        def do_PUT(self):
            if self.place("metadata"):
                if self.path == "/latest/api/token" and "X-aws-ec2-metadata-token-ttl-seconds" in self.headers:
                    ttl = self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
                    self.answer(200, aws.metadata_token, "text/plain",
                                [("X-aws-ec2-metadata-token-ttl-seconds", ttl)])
                else:
                    self.answer(400, "")

        def do_GET(self):
            if self.path == "/container":
                if not self.place("container"):
                    return
                if self.headers["Authorization"] != aws.container_token:
                    return self.answer(401, "{}")
                return self.answer(200, json.dumps(_json(aws.identity())))
            if not self.place("metadata"):
                return None
            folder = "/latest/meta-data/iam/security-credentials/"
            if self.headers["X-aws-ec2-metadata-token"] != aws.metadata_token:
                return self.answer(401, "")
            if self.path == folder:
                return self.answer(200, "tidegate", "text/plain")
            if self.path == folder + "tidegate":
                return self.answer(200, json.dumps({"Code": "Success", "Type": "AWS-HMAC", **_json(aws.identity())}))
            return self.answer(404, "")

        def do_POST(self):
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked = dict(urllib.parse.parse_qsl(form))
            if not self.place("sts"):
                return None
            action = asked["Action"]
            if action == "AssumeRoleWithWebIdentity":
                known = asked["WebIdentityToken"] == aws.web_identity
            else:
                signed_by = self.headers["Authorization"].partition("Credential=")[2].partition("/")[0]
                known = action == "AssumeRole" and signed_by in aws.identities
            if not known or asked["RoleArn"] != ROLE:
                return self.answer(403, _ERROR, "text/xml")
            aws.log[-1]["session_name"] = asked["RoleSessionName"]
            given = _json(aws.identity())
            fields = (("AccessKeyId", "AccessKeyId"), ("SecretAccessKey", "SecretAccessKey"), ("SessionToken", "Token"),
                      ("Expiration", "Expiration"))
            xml = "".join(f"<{name}>{given[of]}</{name}>" for name, of in fields)
            return self.answer(200, _ASSUMED.format(action=action, role=ROLE, credentials=xml), "text/xml")

    return Handler


def _json(identity):
    return {"AccessKeyId": identity["key"], "SecretAccessKey": identity["secret"], "Token": identity["session"],
            "Expiration": f"{identity['end']:%Y-%m-%dT%H:%M:%SZ}"}


_ASSUMED = """<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>
<AssumedRoleUser><Arn>{role}/tidegate</Arn><AssumedRoleId>AROA:tidegate</AssumedRoleId></AssumedRoleUser>
<Credentials>{credentials}</Credentials></{action}Result></{action}Response>"""

_ERROR = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>"""
