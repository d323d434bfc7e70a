"""Uploads a file straight to storage and waits for its verdict. Standard library only."""

import json
import os
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

API = os.environ.get("AIRLOCK_URL", "http://127.0.0.1:8000")
TOKEN = os.environ.get("AIRLOCK_TOKEN", "")


def call(path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", **headers}
    if TOKEN:
        headers["authorization"] = f"Bearer {TOKEN}"
    with urlopen(Request(API + path, data, headers)) as response:
        return json.load(response)


def upload(path):
    """Returns the file's status with its verdict: `scan_status` is `clean`, `infected`, ..."""
    new = call("/files", {"filename": path.name, "size": path.stat().st_size})
    with path.open("rb") as body:
        urlopen(Request(new["upload"]["url"], body, new["upload"]["headers"], method="PUT")).close()
    while True:
        # Answered when the status changes, after 20 seconds at the latest.
        info = call(f"/files/{new['file_id']}/status", prefer="wait=20")["file_info"]
        if info["scan_status"] not in ("pending", "scanning"):
            return info


def main(path):
    try:
        info = upload(Path(path))
    except HTTPError as refused:
        problem = json.load(refused)
        print(f"not accepted: {problem['detail']} ({problem['code']})")
        return 1
    result = info["scan_result"]
    why = result.get("signature") or result.get("explanation") or "nothing was found"
    print(f"{info['file_id']} is {info['scan_status']}: {why}")
    return 0 if info["scan_status"] == "clean" else 10


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
