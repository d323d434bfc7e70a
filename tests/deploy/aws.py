#!/usr/bin/env python3
"""A file's way through a deployed stack: aws.py STACK TOKEN. Needs credentials that may describe the stack, and a token of one of its users.

Uploads a clean file and EICAR, downloads what may be downloaded, and tries what must not work. Prints each step; ends with 1 at the first that fails.
With AWS_ENDPOINT_URL it speaks to an imitation of AWS.
"""

import http.client, json, os, sys, time, urllib.parse, uuid, zlib
import boto3

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}" + b"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
# For a cold start and a scan on AWS; far more than that, because an imitation may run on a busy machine.
PATIENCE_SECONDS = 1800


def send(method, url, headers=None, body=None, host=None):
    """Status, headers, body. `host` names the server when the URL's own is only its address."""
    url = urllib.parse.urlsplit(url)
    connection = (http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection)(url.netloc, timeout=PATIENCE_SECONDS)
    connection.request(method, url.path + ("?" + url.query if url.query else ""), body=body, headers={**(headers or {}), **({"Host": host} if host else {})})
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


class Stack:
    def __init__(self, name, token):
        described = boto3.client("cloudformation", region_name=os.environ.get("AWS_REGION")).describe_stacks(StackName=name)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        self.token, imitation = token, os.environ.get("AWS_ENDPOINT_URL")
        self.base, self.host = (imitation, urllib.parse.urlsplit(self.outputs["ApiUrl"]).netloc) if imitation else (self.outputs["ApiUrl"], None)

    def api(self, method, path, body=None, authorized=True):
        headers = {"Content-Type": "application/json", "Accept": "application/json", **({"Authorization": f"Bearer {self.token}"} if authorized else {})}
        status, _, answer = send(method, self.base + path, headers, json.dumps(body) if body else None, self.host)
        return status, json.loads(answer or "null")

    def upload(self, name, data, unsigned=None):
        """`unsigned` are headers that the presigned request does not name."""
        status, accepted = self.api("POST", "/files", {"filename": name, "size": len(data)})
        check(status == 201, f"{name} is announced", accepted)
        upload = accepted["upload"]
        headers = {key: value for key, value in upload["headers"].items() if key != "content-length"} | (unsigned or {})
        status, _, answer = send("PUT", upload["url"], headers, data)
        check(status == 200, f"{name} is stored", answer)
        status, _, _ = send("PUT", upload["url"], headers, data)
        check(status in (403, 412), f"{name} cannot be stored again", status)
        return accepted["file_id"]

    def ends_as(self, file_id, wanted):
        found, until = None, time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until and found in (None, "pending", "scanning"):
            found = self.api("GET", f"/files/{file_id}/status")[1]["file_info"]["scan_status"]
            time.sleep(1)
        check(found == wanted, f"it ends as {wanted}", found)


def check(is_so, what, seen):
    print(("ok      " if is_so else "FAILED  ") + what)
    if not is_so:
        sys.exit(str(seen))


def main():
    stack, clean = Stack(*sys.argv[1:3]), f"nothing bad {uuid.uuid4()}".encode()
    file_id = stack.upload("clean.txt", clean)
    stack.ends_as(file_id, "clean")
    status, link = stack.api("GET", f"/files/{file_id}/download-link")
    check(status == 200, "there is a link", link)
    status, address = stack.api("GET", link["download_url"], authorized=False)
    check(status == 200, "the link leads somewhere", address)
    status, headers, data = send("GET", address["url"])
    check(status == 200 and data == clean, "the bytes are those that were judged", status)
    headers = {name.lower(): value for name, value in headers.items()}
    disposition, encoding = headers.get("content-disposition", ""), headers.get("content-encoding")
    # Not every imitation does what the address asks for.
    is_asked = stack.host and "response-content-disposition=attachment" in address["url"]
    check(disposition.startswith("attachment") or is_asked, "as an attachment", headers)
    check(encoding == "identity" or is_asked, "that no client decodes", headers)
    infected = stack.upload("eicar.txt", EICAR)
    stack.ends_as(infected, "infected")
    check(stack.api("GET", f"/files/{infected}/download-link")[0] == 403, "there is no link to what is infected", None)
    encoded = stack.upload("encoded.txt", zlib.compress(EICAR), {"Content-Encoding": "deflate"})
    stack.ends_as(encoded, "unscannable")
    check(stack.api("GET", f"/files/{file_id}", authorized=False)[0] == 401, "a request without a token is refused", None)
    for each in (file_id, infected, encoded):
        check(stack.api("DELETE", f"/files/{each}")[0] < 300, "it is deleted", None)
    check(stack.api("GET", link["download_url"], authorized=False)[0] in (404, 410), "the link is dead", None)


main()
