#!/usr/bin/env python3
"""Starts ministack, an independent imitation of AWS, with its check of policies, and makes another application's bucket there.

    foreign.py

The bucket `photos` keeps versions, has notifications and a policy of its own. Prints one line of JSON when it stands, with the keys of each role;
ends with its input.
"""

import json, os, signal, socket, subprocess, sys, tempfile, time, urllib.request
import boto3
from botocore.config import Config

REGION, ACCOUNT = "us-east-1", "000000000000"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}]}
# What a role may do without the bucket's policy: everything with objects.
OBJECTS = ["s3:GetObject*", "s3:PutObject*", "s3:DeleteObject*", "s3:ListBucket*", "s3:AbortMultipartUpload", "s3:GetBucketVersioning"]
POLICY = """{
  "Version" : "2012-10-17",  "Id": "theirs",
  "Statement": [ {"Sid":"OnlyOverTls","Principal":"*","Effect":"Deny", "Action":"s3:*",
    "Resource":["arn:aws:s3:::photos/private/*"], "Condition":{"StringEquals":{"aws:PrincipalTag/team":"other"}}} ]
}"""


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def start(port, log):
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "GATEWAY_PORT": str(port), "AWS_ENDPOINT_URL": url, "MINISTACK_HOST": "localhost", "AUTH": "true"}
    program = os.path.join(os.path.dirname(sys.executable), "ministack")
    process = subprocess.Popen([program], env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    while process.poll() is None:
        try:
            urllib.request.urlopen(url + "/_ministack/health")
            return process, url
        except OSError:
            time.sleep(0.2)
    sys.exit("ministack does not start")


def furnish(url):
    def client(service):
        return boto3.client(service, endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test",
                            config=Config(s3={"addressing_style": "path"}))
    s3, sqs, iam, sts = client("s3"), client("sqs"), client("iam"), client("sts")
    for bucket in ("photos", "airlock-own", "unversioned", "plain"):
        s3.create_bucket(Bucket=bucket)
        if bucket != "unversioned":
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    queue = sqs.create_queue(QueueName="theirs")["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:theirs"
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(allow)})
    s3.put_bucket_notification_configuration(Bucket="photos", NotificationConfiguration={"QueueConfigurations": [
        {"Id": "thumbnails", "QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}}}]})
    s3.put_bucket_policy(Bucket="photos", Policy=POLICY)
    keys = {}
    for role in ("scan", "stranger"):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": OBJECTS, "Resource": "*"}]}
        iam.put_role_policy(RoleName=role, PolicyName="objects", PolicyDocument=json.dumps(allowed))
        given = sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName=role)["Credentials"]
        keys[role] = {"id": given["AccessKeyId"], "secret": given["SecretAccessKey"], "token": given["SessionToken"]}
    return {"url": url, "keys": keys, "scanner": f"arn:aws:iam::{ACCOUNT}:role/scan"}


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryFile("w") as log:
        process, url = start(free_port(), log)
        try:
            print(json.dumps(furnish(url)), flush=True)
            sys.stdin.read()
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


main()
