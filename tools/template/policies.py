#!/usr/bin/env python3
"""Checks the roles' policies with parliament (each action exists and fits its resource) and cloudsplaining (no action
allows privilege escalation or access beyond its purpose). policies.py TEMPLATE"""

import json, re, sys
import yaml
from cloudsplaining.scan.policy_document import PolicyDocument
from parliament import analyze_policy_string

EXAMPLES = {"UploadBucket": "arn:aws:s3:::airlock-uploads", "DefinitionsBucket": "arn:aws:s3:::airlock-definitions",
            "Table": "arn:aws:dynamodb:us-east-1:123456789012:table/airlock", "ScanQueue": "arn:aws:sqs:us-east-1:123456789012:airlock-scan",
            "DeadLetterQueue": "arn:aws:sqs:us-east-1:123456789012:airlock-dead", "EventQueue": "arn:aws:sqs:us-east-1:123456789012:airlock-events",
            "WebhookSecret": "arn:aws:secretsmanager:us-east-1:123456789012:secret:hook-AbCdEf",
            "LinkKey": "arn:aws:secretsmanager:us-east-1:123456789012:secret:link-AbCdEf",
            "PasswordKey": "arn:aws:secretsmanager:us-east-1:123456789012:secret:pass-AbCdEf",
            "SigningKey": "arn:aws:secretsmanager:us-east-1:123456789012:secret:sign-AbCdEf"}
PLAIN = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012", "EventBusName": "default", "IncomingPrefix": "incoming/"}
# Actions that cloudsplaining reports as a risk and that are the function's purpose.
PURPOSES = {"ApiRole": {"s3:DeleteObjectVersion"}, "SweepRole": {"s3:DeleteObjectVersion"},
            "DefinitionsRole": {"s3:DeleteObjectVersion"}}


class Loader(yaml.SafeLoader):
    pass


def intrinsic(loader, tag, node):
    construct = {yaml.MappingNode: loader.construct_mapping, yaml.SequenceNode: loader.construct_sequence}
    return {tag: construct[type(node)](node, deep=True) if type(node) in construct else node.value}


Loader.add_multi_constructor("!", intrinsic)


def substitute(name):
    if name in PLAIN:
        return PLAIN[name]
    name = name.removesuffix(".Arn")
    return EXAMPLES.get(name, f"arn:aws:logs:us-east-1:123456789012:log-group:{name}")


def rendered(value):
    """The value with example values in the place of intrinsic functions."""
    if isinstance(value, dict):
        for tag, argument in value.items():
            if tag in ("Ref", "GetAtt"):
                return EXAMPLES[argument.split(".")[0]]
            if tag == "If":
                return rendered(argument[1])
            if tag == "Sub":
                return re.sub(r"\$\{([^}]+)\}", lambda found: substitute(found[1]), argument)
        return {key: rendered(item) for key, item in value.items()}
    return [rendered(item) for item in value] if isinstance(value, list) else value


def main():
    template, problems, n_policies = yaml.load(open(sys.argv[1]), Loader), [], 0
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::IAM::Role":
            continue
        for policy in resource["Properties"]["Policies"]:
            n_policies += 1
            document = rendered(policy["PolicyDocument"])
            for finding in analyze_policy_string(json.dumps(document)).findings:
                problems.append(f"{name}: {finding.issue} {finding.detail}")
            splained = PolicyDocument(document)
            for kind in ("allows_privilege_escalation", "permissions_management_without_constraints", "write_actions_without_constraints",
                         "allows_data_exfiltration_actions", "credentials_exposure"):
                for found in getattr(splained, kind):
                    if found not in PURPOSES.get(name, ()):
                        problems.append(f"{name}: {kind}: {found}")
    assert n_policies >= 5, n_policies
    if problems:
        sys.exit("\n".join(problems))


main()
