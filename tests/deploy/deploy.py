#!/usr/bin/env python3
"""Deploys template.yaml on ministack, an independent imitation of AWS, and records what each function asks of it.

    deploy.py TEMPLATE FUNCTIONS_DIRECTORY MIRROR_URL

The release builds in FUNCTIONS_DIRECTORY run as the functions. Prints one line of JSON when the stack stands; then obeys one command a line,
each answered with a line of JSON: {"do": "invoke", "function": ID, "payload": ...}, {"do": "make_due"}, {"do": "dead_letters"}, {"do": "calls"},
{"do": "refuse", "parameters": ...}, {"do": "fail_to_create"}, {"do": "leave_traces"}, {"do": "delete"}.
Ends with its input.

What differs from the template as AWS would take it, each because the imitation needs it: the functions' code is uploaded here; the engine and
freshclam are this machine's, not the layer's; times are short; definitions may be of any age (ClamAV's signed test database is of 2021).
"""

import base64, copy, io, json, os, shutil, signal, socket, subprocess, sys, tempfile, time, urllib.request, zipfile
import boto3, jwt_keys, recorder
from boto3.dynamodb.types import Binary
from botocore.config import Config
from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse

REGION = "us-east-1"
FUNCTIONS = {"ApiFunction": "api", "DownloadFunction": "download", "ScanFunction": "scan", "DefinitionsFunction": "definitions", "SweepFunction": "sweep",
             "NotifyFunction": "notify", "LiveFunction": "live"}
# What a policy's resource is to the recorder.
WHERE = {"BucketName": "protected", "IncomingPrefix": "incoming", "index/by_owner": "by_owner", "index/due": "due", "index/rescan": "rescan", "index/feed": "feed", "Table": "table", "UploadBucket": "uploads", "DefinitionsBucket": "definitions"}
SCRATCH = {"scan": "AIRLOCK_SCRATCH", "definitions": "AIRLOCK_SCRATCH"}
SERVICES = ["S3", "DYNAMODB", "SQS", "SECRETS_MANAGER", "EVENTBRIDGE"]
# A scan needs ten seconds in reserve; SQS delivers again after the visibility timeout.
SHORT_TIMES = {"Function": 60, "Visibility": 61}

# `tools/engine build` puts it there.
ENGINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../target/engine/airlock-engine")


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


class Deployment:
    def __init__(self, template, functions, mirror):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.scratch = tempfile.mkdtemp(prefix="al", dir="/tmp")
        # What the functions log and send, by function.
        self.traces = os.path.join(self.scratch, "traces")
        for kind in ("logs", "requests"):
            os.makedirs(os.path.join(self.traces, kind))
        self.recorders = {name: recorder.Recorder(self.port, os.path.join(self.traces, "requests", FUNCTIONS[name])) for name in FUNCTIONS}
        self.issuer = jwt_keys.Issuer()
        self.process = self.start()
        self.template = self.changed(yaml_parse(open(template).read()), functions)
        self.mirror = mirror
        self.outputs, self.resources = self.deploy()
        self.protect()

    def client(self, service):
        # An answer may take as long as a function on a busy machine; asked again, it would be invoked twice.
        patient = Config(read_timeout=3600, retries={"total_max_attempts": 1})
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test", config=patient)

    def start(self):
        environment = {**os.environ, "GATEWAY_PORT": str(self.port), "AWS_ENDPOINT_URL": self.url, "MINISTACK_HOST": "localhost"}
        program = os.path.join(os.path.dirname(sys.executable), "ministack")
        self.log = open(os.path.join(self.scratch, "ministack.log"), "w")
        process = subprocess.Popen([program], env=environment, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True)
        while process.poll() is None:
            try:
                urllib.request.urlopen(self.url + "/_ministack/health")
                return process
            except OSError:
                time.sleep(0.2)
        sys.exit("ministack does not start")

    def changed(self, template, functions):
        s3, resources = self.client("s3"), template["Resources"]
        s3.create_bucket(Bucket="code")
        for resource, name in FUNCTIONS.items():
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.write(os.path.join(functions, name, "bootstrap"), "function")
                # On Lambda every execution environment has a /tmp of its own.
                start = zipfile.ZipInfo("bootstrap")
                start.external_attr = 0o755 << 16
                archive.writestr(start, f'#!/bin/sh\nexport {SCRATCH.get(name, "UNUSED")}={self.scratch}/$$\nexec "$(dirname "$0")/function" >>{self.traces}/logs/{name} 2>&1\n')
            s3.put_object(Bucket="code", Key=f"{name}.zip", Body=packed.getvalue())
            properties = resources[resource]["Properties"]
            properties["CodeUri"] = {"Bucket": "code", "Key": f"{name}.zip"}
            # ministack sets AWS_ENDPOINT_URL itself; these come before it.
            properties["Environment"]["Variables"] |= {f"AWS_ENDPOINT_URL_{service}": self.recorders[resource].url for service in SERVICES}
        layer = io.BytesIO()
        with zipfile.ZipFile(layer, "w") as archive:
            archive.writestr("share/empty", "")
        s3.put_object(Bucket="code", Key="layer.zip", Body=layer.getvalue())
        for resource in ("ClamavLayerArm64", "ClamavLayerX86"):
            resources[resource]["Properties"]["ContentUri"] = {"Bucket": "code", "Key": "layer.zip"}
        for resource in ("ScanFunction", "DefinitionsFunction"):
            resources[resource]["Properties"]["Environment"]["Variables"] |= {"AIRLOCK_CLAMD": "/usr/sbin/clamd", "AIRLOCK_ENGINE": ENGINE}
        resources["DefinitionsFunction"]["Properties"]["Environment"]["Variables"]["AIRLOCK_FRESHCLAM"] = "/usr/bin/freshclam"
        # The imitation gives a stream back when it has ended.
        resources["LiveFunction"]["Properties"]["Environment"]["Variables"]["LIVE_STREAM_SECONDS"] = "2"
        template["Mappings"]["ScanTimes"]["300"] = SHORT_TIMES
        template["Parameters"]["DefinitionsMaxAgeDays"].pop("MaxValue")
        # ministack does not make numbers of parameters.
        resources["ScanFunction"]["Properties"]["Events"]["Uploads"]["Properties"]["ScalingConfig"]["MaximumConcurrency"] = 2
        resources["ScanQueue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"] = 2
        return template

    def deploy(self):
        """The outputs and the resources, by their names, of a stack that stands."""
        stack, events = self.create("Airlock-Test", self.template)
        if stack["StackStatus"] != "CREATE_COMPLETE":
            failed = [event for event in events if "FAILED" in event["ResourceStatus"]]
            sys.exit(f"{stack['StackStatus']}: {failed}")
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        return outputs, self.resources_of("Airlock-Test")

    def resources_of(self, name):
        resources = self.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}

    def create(self, name, template, **changed):
        """The stack once its creation has ended, however it did, and its events."""
        cloudformation = self.client("cloudformation")
        parameters = {"JwtIssuer": self.issuer.url, "JwtAudience": "airlock", "JwksUrl": self.issuer.url + "/keys", "AllowedOrigins": "https://app.example",
                      "Architecture": "x86_64", "Engine": "snapshot", "DefinitionsMirror": self.mirror, "DefinitionsMaxAgeDays": "36500", "AlarmEmail": "ops@example.com",
                      "LiveEvents": "true", "EventBusName": "default", "WebhookUrls": "https://hooks.invalid/airlock", "Quarantine": "move", "SampleDownloads": "true", "FilePasswords": "true",
                      "QuotaScanSecondsPerDay": "100000", "IncomingPrefix": "incoming/", "ProtectedBuckets": f"{recorder.PROTECTED}/in/=alice",
                      "ProtectedChanges": "quarantine,delete", "Debug": "true", **changed}
        return self.create_with(name, template, parameters)

    def create_with(self, name, template, parameters):
        cloudformation = self.client("cloudformation")
        # Too large for a request's body, as `sam deploy` knows as well.
        self.client("s3").put_object(Bucket="code", Key="template.json", Body=json.dumps(template))
        cloudformation.create_change_set(
            StackName=name, ChangeSetName="first", ChangeSetType="CREATE", TemplateURL=f"{self.url}/code/template.json",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
        while cloudformation.describe_change_set(StackName=name, ChangeSetName="first")["Status"].endswith(("PENDING", "IN_PROGRESS")):
            time.sleep(0.5)
        cloudformation.execute_change_set(StackName=name, ChangeSetName="first")
        return self.ended(name), cloudformation.describe_stack_events(StackName=name)["StackEvents"]

    def protect(self):
        """Another application's bucket, and the stack that lets Airlock judge what is in it."""
        s3 = self.client("s3")
        s3.create_bucket(Bucket=recorder.PROTECTED)
        s3.put_bucket_versioning(Bucket=recorder.PROTECTED, VersioningConfiguration={"Status": "Enabled"})
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../deploy/protected-bucket.yaml")
        self.protection = yaml_parse(open(path).read())
        parameters = {"Airlock": "Airlock-Test", "BucketName": recorder.PROTECTED, "Prefix": "in/", "Changes": "quarantine,delete", "Samples": "true"}
        stack, events = self.create_with("Airlock-Photos", self.protection, parameters)
        if stack["StackStatus"] != "CREATE_COMPLETE":
            sys.exit(f"{stack['StackStatus']}: {[event for event in events if 'FAILED' in event['ResourceStatus']]}")

    def put_protected(self, key, body):
        """Stores an object in the protected bucket."""
        stored = self.client("s3").put_object(Bucket=recorder.PROTECTED, Key=key, Body=body)
        return self.report_protected("Object Created", key, stored["VersionId"], {"size": len(body), "etag": stored["ETag"].strip('"')})

    def report_protected(self, kind, key, version, more):
        """Sends S3's event to where the rule sends it, if the rule fits. The imitation's own event lacks the version, and it takes no other of S3."""
        detail = {"version": "0", "bucket": {"name": recorder.PROTECTED}, "object": {"key": key, "version-id": version, "sequencer": "0055", **more}}
        if kind == "Object Deleted":
            detail["deletion-type"] = "Permanently Deleted"
        event = {"version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": kind, "source": "aws.s3", "account": "000000000000",
                 "time": "2026-11-12T00:00:00Z", "region": REGION, "resources": [f"arn:aws:s3:::{recorder.PROTECTED}"], "detail": detail}
        events = self.client("events")
        rule = events.list_rules(NamePrefix="airlock-protected-")["Rules"][0]
        if not events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(event))["Result"]:
            return {"version": version, "sent": False}
        [target] = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        if target["Arn"].rpartition(":")[2] != self.outputs["ScanQueueUrl"].rpartition("/")[2]:
            sys.exit(f"the rule sends elsewhere: {target}")
        self.client("sqs").send_message(QueueUrl=self.outputs["ScanQueueUrl"], MessageBody=json.dumps(event))
        return {"version": version, "sent": True}

    def ended(self, name):
        """The stack once its creation or deletion has ended."""
        cloudformation = self.client("cloudformation")
        describe = lambda: cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        while (stack := describe())["StackStatus"].endswith("IN_PROGRESS"):
            time.sleep(0.5)
        return stack

    def fail_to_create(self):
        """Creates another stack, whose last resource fails, and tells what it leaves behind."""
        template, before = copy.deepcopy(self.template), self.inventory()
        template["Resources"]["Handle"] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
        template["Resources"]["Never"] = {
            "Type": "AWS::CloudFormation::WaitCondition",
            "DependsOn": ["ScanFunction", "SweepFunction", "Dashboard"],
            "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "1"}}
        stack, _ = self.create("Airlock-Broken", template)
        return {"status": stack["StackStatus"], "left": sorted(self.inventory() - before)}

    def refuse(self, parameters):
        """Tells why a stack with these parameters is refused; nothing if it is created."""
        try:
            self.create("Airlock-Impossible", self.template, **parameters)
        except ClientError as error:
            return error.response["Error"]["Message"]

    def delete(self):
        """Deletes the stack and tells which of its resources are left."""
        cloudformation = self.client("cloudformation")
        # Its imports keep the other stack from being deleted.
        photos = cloudformation.describe_stacks(StackName="Airlock-Photos")["Stacks"][0]["StackId"]
        cloudformation.delete_stack(StackName="Airlock-Photos")
        self.ended(photos)
        stack_id = cloudformation.describe_stacks(StackName="Airlock-Test")["Stacks"][0]["StackId"]
        cloudformation.delete_stack(StackName="Airlock-Test")
        status = self.ended(stack_id)["StackStatus"]
        left = self.inventory()
        return {"status": status, "left": sorted(name for name, id in self.resources.items() if id in left)}

    def inventory(self):
        """What exists, by its name or address. Without log groups: the imitation creates them for functions that log."""
        buckets = {bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]}
        tables = set(self.client("dynamodb").list_tables()["TableNames"])
        functions = self.client("lambda").list_functions()["Functions"]
        functions = {function["FunctionName"] for function in functions}
        queues = set(self.client("sqs").list_queues().get("QueueUrls", []))
        secrets = {secret["ARN"] for secret in self.client("secretsmanager").list_secrets()["SecretList"]}
        return buckets | tables | functions | queues | secrets

    def describe(self):
        secret = self.client("secretsmanager").get_secret_value(SecretId=self.resources["SigningKey"])["SecretString"]
        scan = self.client("lambda").get_function_configuration(FunctionName=self.resources["ScanFunction"])
        return {"url": self.url, "outputs": self.outputs, "resources": self.resources, "signing_secret": secret, "scratch": self.scratch,
                "token": self.issuer.token("alice"), "operator": self.issuer.token("root", scope="admin"), "scan_environment": scan["Environment"]["Variables"]}

    def obey(self, command):
        match command["do"]:
            case "invoke":
                answer = self.client("lambda").invoke(FunctionName=self.resources[command["function"]], Payload=json.dumps(command["payload"]))
                return {"error": answer.get("FunctionError"), "payload": json.loads(answer["Payload"].read() or "null")}
            case "make_due":
                return self.make_due()
            case "send":
                self.client("sqs").send_message(QueueUrl=self.outputs["ScanQueueUrl"], MessageBody=command["body"])
                return {}
            case "put":
                self.client("s3").put_object(Bucket=self.outputs["UploadBucketName"], Key=command["key"], Body=base64.b64decode(command["body"]))
                return {}
            case "put_protected":
                return self.put_protected(command["key"], base64.b64decode(command["body"]))
            case "remove_protected":
                self.client("s3").delete_object(Bucket=recorder.PROTECTED, Key=command["key"], VersionId=command["version"])
                return self.report_protected("Object Deleted", command["key"], command["version"], {})
            case "dead_letters":
                received = self.client("sqs").receive_message(QueueUrl=self.outputs["DeadLetterQueueUrl"], MaxNumberOfMessages=10)
                return [message["Body"] for message in received.get("Messages", [])]
            case "leave_traces":
                return self.leave_traces()
            case "refuse":
                return self.refuse(command["parameters"])
            case "fail_to_create":
                return self.fail_to_create()
            case "delete":
                return self.delete()
            case "calls":
                return {name: {"called": sorted(recorder.calls), "allowed": sorted(self.allowed(name))} for name, recorder in self.recorders.items()}

    def allowed(self, function):
        """What the function's role may do, in the recorder's words."""
        document = self.template["Resources"][function.replace("Function", "Role")]["Properties"]["Policies"][0]["PolicyDocument"]
        allowed = set()
        protected = self.protection["Resources"].get(function.replace("Function", "Access"))
        statements = protected["Properties"]["PolicyDocument"]["Statement"] if protected else []
        for statement in document["Statement"] + statements:
            # Everything that a parameter can turn on is on.
            statement = statement["Fn::If"][1] if "Fn::If" in statement else statement
            resource = json.dumps(statement["Resource"])
            if "KeyArn" in resource:
                continue  # No object here is encrypted with a key of KMS.
            where = next((word for mark, word in WHERE.items() if mark in resource), "")
            allowed |= {f"{action} {where}".strip() for action in statement["Action"] if not action.startswith("logs:")}
        return allowed

    def leave_traces(self):
        """Writes what AWS stores beside what the functions log and send, and tells where all of it is."""
        s3, dynamodb, sqs = (self.client(service) for service in ("s3", "dynamodb", "sqs"))
        for table in dynamodb.list_tables()["TableNames"]:
            self.leave("tables", table, [page["Items"] for page in dynamodb.get_paginator("scan").paginate(TableName=table)])
        for queue in sqs.list_queues().get("QueueUrls", []):
            # They stay where they are, and visible.
            received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)
            self.leave("queues", queue.rpartition("/")[2], received.get("Messages", []))
        for bucket in s3.list_buckets()["Buckets"]:
            versions = s3.get_paginator("list_object_versions").paginate(Bucket=bucket["Name"])
            versions = [version for page in versions for version in page.get("Versions", [])]
            which = [{"Bucket": bucket["Name"], "Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
            self.leave("buckets", bucket["Name"], [[s3.head_object(**one), s3.get_object_tagging(**one)] for one in which])
        return {"directory": self.traces}

    def leave(self, kind, name, found):
        """As JSON, with bytes behind it as they are."""
        binaries = []
        text = json.dumps(found, default=lambda value: binaries.append(value) or str(value))
        os.makedirs(os.path.join(self.traces, kind), exist_ok=True)
        with open(os.path.join(self.traces, kind, name), "wb") as file:
            file.write(b"\n".join([text.encode(), *(bytes(value) for value in binaries if isinstance(value, (bytes, Binary)))]))

    def make_due(self):
        """Makes everything due now that the sweep would process within minutes."""
        table, dynamodb = self.outputs["TableName"], self.client("dynamodb")
        items = dynamodb.scan(TableName=table, FilterExpression="attribute_exists(due) AND due <> :over",
                              ExpressionAttributeValues={":over": {"S": "delivered"}})["Items"]
        for item in items:
            for name in ("due_at", "state_due_at", "publish_due_at"):
                if name in item:
                    item[name] = {"N": "1"}
            if "endpoint" in item:
                item["state"]["M"]["at"] = {"N": "1"}
            dynamodb.put_item(TableName=table, Item=item)
        return len(items)

    def stop(self):
        os.killpg(self.process.pid, 15)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
        # Its functions run in sessions of their own.
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and self.url.encode() in open(f"/proc/{entry}/environ", "rb").read() and int(entry) != os.getpid():
                    os.kill(int(entry), signal.SIGTERM)
            except OSError:
                pass
        shutil.rmtree(self.scratch, ignore_errors=True)


def main():
    # As with the end of its input: what was started ends as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    deployment = Deployment(*sys.argv[1:])
    try:
        print(json.dumps(deployment.describe()), flush=True)
        for line in sys.stdin:
            print(json.dumps(deployment.obey(json.loads(line))), flush=True)
    finally:
        deployment.stop()


main()
