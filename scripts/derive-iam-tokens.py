#!/usr/bin/env python3
"""Writes tests/corpus/iam/tokens.json: login tokens of RDS as botocore makes them, at a clock that stands.

    python3 -m pip install botocore && scripts/derive-iam-tokens.py

The credentials are AWS's own examples, or made up; none of them opens anything.
"""

import datetime
import json
import os
from unittest import mock

import botocore
import botocore.session

OUT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "corpus", "iam", "tokens.json")

STATIC = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "session_token": None}
# Every character that base64 has, and the padding: each is written with a percent sign in a query.
SESSION = {"access_key": "ASIAIOSFODNN7EXAMPLE", "secret_key": "abc+/DEF0123456789abc+/DEF0123456789abcd",
           "session_token": "IQoJb3JpZ2luX2VjEOf//////////wEaDGV1LWNlbnRyYWwtMSJHMEUCIQ+/" * 9 + "=="}
PG = "hr.cluster-c9akciq32rgz.eu-central-1.rds.amazonaws.com"

CASES = [
    ("static keys, PostgreSQL", STATIC, PG, 5432, "eu-central-1", "tidegate_read", "2026-11-21T12:00:00"),
    ("static keys, MySQL", STATIC, "shop.cluster-ro-c9akciq32rgz.us-east-1.rds.amazonaws.com", 3306, "us-east-1",
     "tidegate_write", "2026-11-21T12:00:00"),
    ("a session token", SESSION, PG, 5432, "eu-central-1", "tidegate_admin", "2026-11-21T23:59:59"),
    ("a region of China", SESSION, "hr.cluster-c1.cn-north-1.rds.amazonaws.com.cn", 5432, "cn-north-1", "reader",
     "2026-02-28T00:00:00"),
    ("a region of the government", STATIC, "hr.c1.us-gov-west-1.rds.amazonaws.com", 5432, "us-gov-west-1", "reader",
     "2028-02-29T06:07:08"),
    ("a port of its own", STATIC, "hr.c1.ap-southeast-2.rds.amazonaws.com", 15432, "ap-southeast-2", "reader",
     "2026-11-21T12:00:00"),
    ("a name with a blank", STATIC, PG, 5432, "eu-central-1", "the reader", "2026-11-21T12:00:00"),
    ("a name with signs of a query", STATIC, PG, 5432, "eu-central-1", "a&b=c+d%20e?f#g/h", "2026-11-21T12:00:00"),
    ("a name of an address", STATIC, PG, 5432, "eu-central-1", "dana@example.com", "2026-11-21T12:00:00"),
    ("a name with the signs that stay", STATIC, PG, 5432, "eu-central-1", "a-b_c.d~e", "2026-11-21T12:00:00"),
    ("a name with other signs", STATIC, PG, 5432, "eu-central-1", "!$'()*,;:[]{}|\\^`\"<>", "2026-11-21T12:00:00"),
    ("a name beyond ASCII", SESSION, PG, 5432, "eu-central-1", "läser-読み手-🔑", "2026-11-21T12:00:00"),
]


def main():
    vectors = []
    for name, keys, host, port, region, user, at in CASES:
        session = botocore.session.Session()
        session.set_credentials(keys["access_key"], keys["secret_key"], keys["session_token"])
        client = session.create_client("rds", region_name=region)
        moment = datetime.datetime.fromisoformat(at).replace(tzinfo=datetime.timezone.utc)
        with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
            token = client.generate_db_auth_token(host, port, user, Region=region)
        vectors.append({"name": name, **keys, "host": host, "port": port, "region": region, "user": user, "at": at + "Z",
                        "token": token})
    os.makedirs(os.path.dirname(OUT), exist_ok=True)
    with open(OUT, "w", encoding="utf-8") as file:
        json.dump({"made_with": f"botocore {botocore.__version__}", "vectors": vectors}, file, indent=1, ensure_ascii=False)
        file.write("\n")
    print(f"{len(vectors)} tokens by botocore {botocore.__version__}")


if __name__ == "__main__":
    main()
