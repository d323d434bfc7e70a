#!/usr/bin/env python3
"""Checks what CloudFormation makes of the template: transforms it as AWS does, and compares it with what the documents
tell operators. transformed.py TEMPLATE DEPLOYING OPERATING"""

import json, re, sys
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoPolicies:
    """The roles name no managed policy, so none has to be looked up."""

    def load(self):
        return {}


def transformed(path):
    template = yaml_parse(open(path).read())
    for resource in template["Resources"].values():
        for name in ("CodeUri", "ContentUri"):
            if name in resource["Properties"]:
                resource["Properties"][name] = "s3://bucket/key"
    return transform(template, {}, NoPolicies())


def of_type(template, kind):
    return {name: resource for name, resource in template["Resources"].items() if resource["Type"] == kind}


def problems_of_layers(template):
    """The stack has one layer, whose architecture is the functions'."""
    layers = of_type(template, "AWS::Lambda::LayerVersion").values()
    layers = {layer["Condition"]: layer["Properties"]["CompatibleArchitectures"] for layer in layers}
    if layers != {"IsArm64": ["arm64"], "IsX86": ["x86_64"]}:
        yield f"layers: {layers}"


def problems_of_retries(template):
    """What a schedule or CloudFormation invokes is not retried."""
    configs = [resource["Properties"] for resource in of_type(template, "AWS::Lambda::EventInvokeConfig").values()]
    configured = {config["FunctionName"]["Ref"]: config["MaximumRetryAttempts"] for config in configs}
    for name, resource in of_type(template, "AWS::Lambda::Permission").items():
        function = resource["Properties"]["FunctionName"].get("Ref")
        if resource["Properties"]["Principal"] == "events.amazonaws.com" and configured.get(function) != 0:
            yield f"{name}: {function} is retried"


def problems_of_logs(template, document):
    """The queries that operators are told match what is in the log."""
    for word in re.findall(r"@(?:type|maxMemoryUsed|initDuration|billedDuration)", document):
        yield f"{word} is not in logs of the format JSON"
    queries = re.findall(r"`filter type = \"platform\.report\"[^`]*`[^|]*of the (\w+) function", document)
    if not queries:
        yield "the document has no query for platform.report"
    for function in queries:
        resource = template["Resources"][f"{function.capitalize()}Function"]["Properties"]["LoggingConfig"]
        if resource["LogFormat"] != "JSON" or resource["SystemLogLevel"] not in ("DEBUG", "INFO"):
            yield f"the {function} function does not log platform.report: {resource}"


def problems_of_alarms(template, document):
    """Every alarm is in the document, by its name without `Alarm`."""
    for name in of_type(template, "AWS::CloudWatch::Alarm"):
        if f"`{name.removesuffix('Alarm')}`" not in document:
            yield f"{name} is not explained"


def problems_of_partitions(template):
    """Nothing outside the mappings is of one partition of AWS."""
    for part in ("Resources", "Outputs"):
        text = json.dumps(template[part])
        for written in re.findall(r"arn:aws:[^\"]*|console\.[a-z.-]*amazon[a-z.-]*", text):
            yield f"{part}: `{written}` does not exist in aws-cn and aws-us-gov"


def problems_of_parameters(template, document):
    for name in template["Parameters"]:
        if not re.search(rf"`{name}[`=]", document):
            yield f"the parameter {name} is not explained"


def main():
    template, deploying, operating = transformed(sys.argv[1]), *(open(path).read() for path in sys.argv[2:4])
    problems = [
        *problems_of_layers(template),
        *problems_of_retries(template),
        *problems_of_logs(template, deploying),
        *problems_of_partitions(template),
        *problems_of_alarms(template, operating),
        *problems_of_parameters(template, deploying),
    ]
    if problems:
        sys.exit("\n".join(problems))


main()
