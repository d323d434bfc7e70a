"""Uploads with AWS credentials, as any program does that knows nothing of Airlock: in parts if the file is large. The object becomes a file whose
owner is in its key. See docs/uploaders.md."""

import json
import os
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import boto3

API = os.environ.get("AIRLOCK_URL", "http://127.0.0.1:8000")
# On AWS: leave these out, and use your role and your bucket.
SECRETS = json.loads(Path(os.environ.get("AIRLOCK_DATA_DIR", "data"), "secrets.json").read_text())
STORAGE = os.environ.get("AIRLOCK_S3_URL", "http://127.0.0.1:8001")


def main(path):
    s3 = boto3.client(
        "s3",
        endpoint_url=STORAGE,
        region_name="us-east-1",
        aws_access_key_id=SECRETS["access_key_id"],
        aws_secret_access_key=SECRETS["secret_access_key"],
    )
    key = f"incoming/local/{Path(path).name}"
    s3.upload_file(path, "airlock", key)
    info = newest(key)
    while info is None or info["scan_status"] in ("pending", "scanning"):
        time.sleep(0.5)
        info = newest(key)
    print(f"{key} is {info['scan_status']}: file {info['file_id']}")
    return 0 if info["scan_status"] == "clean" else 10


def newest(key):
    """The file that the key's newest version is; None until the service has heard of it."""
    with urllib.request.urlopen(f"{API}/files?key={urllib.parse.quote(key, safe='')}") as response:
        files = json.load(response)["files"]
    return files[0] if files else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
