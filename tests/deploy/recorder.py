"""Passes one function's requests on to ministack, notes which IAM action each of them needs, and keeps what was sent."""

import http.client, http.server, json, threading, urllib.parse

# AWS, "Actions, resources, and condition keys for Amazon S3": by method, what the key is, and what the query asks for.
S3_BUCKET = {("HEAD", ""): "s3:ListBucket", ("GET", ""): "s3:ListBucket", ("GET", "versions"): "s3:ListBucketVersions",
             ("GET", "versioning"): "s3:GetBucketVersioning"}
S3_OBJECT = {("HEAD", ""): "s3:GetObject", ("GET", ""): "s3:GetObject", ("GET", "versionId"): "s3:GetObjectVersion", ("HEAD", "versionId"): "s3:GetObjectVersion",
             ("GET", "tagging versionId"): "s3:GetObjectVersionTagging",
             ("PUT", ""): "s3:PutObject", ("PUT", "tagging"): "s3:PutObjectTagging", ("PUT", "tagging versionId"): "s3:PutObjectVersionTagging",
             ("DELETE", ""): "s3:DeleteObject", ("DELETE", "versionId"): "s3:DeleteObjectVersion", ("POST", "uploads"): "s3:PutObject",
             ("PUT", "partNumber uploadId"): "s3:PutObject", ("POST", "uploadId"): "s3:PutObject", ("DELETE", "uploadId"): "s3:AbortMultipartUpload",
             ("GET", "uploadId"): "s3:ListMultipartUploadParts"}
# The bucket of another application.
PROTECTED = "their-photos"
S3_MARKS = {"versions", "versioning", "versionId", "tagging", "uploads", "uploadId", "partNumber", "delete"}


def actions(method, path, headers, body):
    target = headers.get("x-amz-target", "")
    if target.startswith("DynamoDB_"):
        operation, request = target.split(".")[1], json.loads(body)
        if operation == "TransactWriteItems":
            kinds = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
            return {f"dynamodb:{kinds[kind]} table" for item in request["TransactItems"] for kind in item}
        return {f"dynamodb:{operation} {request.get('IndexName') or 'table'}"}
    if target.startswith("AmazonSQS."):
        return {f"sqs:{target.split('.')[1]}"}
    if target.startswith("secretsmanager."):
        return {f"secretsmanager:{target.split('.')[1]}"}
    if target.startswith("AWSEvents."):
        return {f"events:{target.split('.')[1]}"}
    url = urllib.parse.urlsplit(path)
    bucket, _, key = url.path.lstrip("/").partition("/")
    marks = " ".join(sorted(S3_MARKS & set(urllib.parse.parse_qs(url.query, keep_blank_values=True))))
    where = place(bucket, key, body)
    if not key and method == "POST":
        is_deletion = marks == "delete"
        named = b"<VersionId>" in body
        return {("s3:DeleteObjectVersion " if named else "s3:DeleteObject ") + where} if is_deletion else {f"s3:PutObject {where}"}
    if method == "PUT" and "x-amz-copy-source" in headers:
        source_bucket, _, source = urllib.parse.unquote(headers["x-amz-copy-source"]).lstrip("/").partition("/")
        return {f"s3:PutObject {where}", f"s3:GetObjectVersion {place(source_bucket, source, b'')}"}
    table = S3_OBJECT if key else S3_BUCKET
    return {f"{table[method, marks]} {where}"}


def place(bucket, key, body):
    """Which part of which bucket, as far as roles tell them apart."""
    if bucket == PROTECTED:
        return "protected"
    if not bucket.startswith("airlock-uploads"):
        return "definitions"
    return "incoming" if key.startswith("incoming/") or b"<Key>incoming/" in body else "uploads"


class Recorder:
    def __init__(self, port, kept):
        self.calls = calls = set()
        lock = threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.read_body()
                with lock, open(kept, "ab") as file:
                    file.write(f"{self.command} {self.path}\n{self.headers}".encode("utf-8", "surrogateescape") + body + b"\n")
                # A presigned request uses the rights of the role that signed it; an unsigned one uses none.
                if "Authorization" in self.headers or "X-Amz-Signature" in self.path or self.command == "POST":
                    calls.update(actions(self.command, self.path, self.headers, body))
                upstream = http.client.HTTPConnection("127.0.0.1", port)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in ("transfer-encoding", "content-length", "expect")}
                upstream.request(self.command, self.path, body=body, headers={**headers, "Content-Length": str(len(body))})
                answer = upstream.getresponse()
                content = answer.read()
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                length = answer.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(content))
                self.send_header("Content-Length", length)
                self.end_headers()
                self.wfile.write(content)

            def read_body(self):
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    body = b""
                    while size := int(self.rfile.readline().split(b";")[0], 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    while self.rfile.readline().strip():
                        pass
                    return body
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"
