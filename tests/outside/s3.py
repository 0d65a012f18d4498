#!/usr/bin/env python3
"""Objects of S3 for tests: moto's server, which checks the signature of every request and the rights of its key.

Told what to do on standard input, a JSON object a line; answers each with one on standard output.
"""

import json
import os
import sys

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer
import requests

BUCKET = "audit"


class Store:
    def __init__(self):
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        self.address = "http://%s:%s" % self.server.get_host_and_port()
        requests.post(f"{self.address}/moto-api/reset", timeout=10)
        first = {"aws_access_key_id": "first", "aws_secret_access_key": "first"}
        iam = self.client("iam", **first)
        iam.create_user(UserName="tidegate")
        allowed = {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject", "s3:ListBucket"], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName="tidegate", PolicyName="put", PolicyDocument=policy)
        key = iam.create_access_key(UserName="tidegate")["AccessKey"]
        self.client("s3", **first).create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        self.key = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        # From here on nothing passes without a signature that is right.
        requests.post(f"{self.address}/moto-api/reset-auth", data="0", timeout=10).raise_for_status()

    def client(self, service, **key):
        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0})
        return boto3.client(service, endpoint_url=self.address, region_name="eu-central-1", config=config, **key)

    def where(self):
        name, secret = self.key["aws_access_key_id"], self.key["aws_secret_access_key"]
        return {"address": self.address, "id": name, "secret": secret}

    def read(self):
        s3 = self.client("s3", **self.key)
        names = [it["Key"] for it in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        body = lambda name: s3.get_object(Bucket=BUCKET, Key=name)["Body"].read().decode()
        return [{"name": name, "text": body(name)} for name in names]


def main():
    store = Store()
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps({"answer": getattr(store, asked.pop("do"))(**asked)}), flush=True)
    os._exit(0)


main()
