"""Uses the client that openapi-python-client generated: upload, wait, list with filters, download."""

import io
import sys

import httpx

from airlock_api import Client
from airlock_api.api.download import create_download_link, follow_download_link
from airlock_api.api.files import create_upload, get_file, get_file_status, list_files, upload_file
from airlock_api.models import ErrorCode, NewFile, Problem, StatusName, UploadForm
from airlock_api.types import File

UNKNOWN = "123e4567-e89b-42d3-a456-426614174000"
WAITING = (StatusName.PENDING, StatusName.SCANNING)
# In two halves, so that no scanner takes this file for the test file.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}" + b"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"

client = Client(base_url=sys.argv[1], raise_on_unexpected_status=True, timeout=None)


def upload_to_storage(name, data):
    created = create_upload.sync(client=client, body=NewFile(filename=name, size=len(data)))
    request = created.upload
    headers = request.headers.additional_properties
    httpx.request(request.method, request.url, headers=headers, content=data).raise_for_status()
    return created.file_id


def upload_by_form(name, data):
    form = UploadForm(file=File(payload=io.BytesIO(data), file_name=name, mime_type="text/plain"))
    return upload_file.sync(client=client, body=form).file_id


def verdict(file_id):
    while True:
        info = get_file_status.sync(file_id, client=client, prefer="wait=20").file_info
        if info.scan_status not in WAITING:
            return info


def listed(status):
    found, cursor = [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = list_files.sync(client=client, status=status, limit=1, **more)
        assert len(page.files) <= 1, page
        found += page.files
        cursor = page.next_cursor or None
        if cursor is None:
            return found


good = [upload_to_storage("one.txt", b"one"), upload_to_storage("two.txt", b"two")]
bad = upload_by_form("bad.txt", EICAR)
assert [verdict(file_id).scan_status for file_id in good] == [StatusName.CLEAN] * 2
infected = verdict(bad)
assert infected.scan_status == StatusName.INFECTED and infected.scan_result.signature, infected

# The filter filters, and the cursor leads through all pages.
assert [file.file_id for file in listed(StatusName.CLEAN)] == [good[1], good[0]]
assert [file.file_id for file in listed(StatusName.INFECTED)] == [bad]
assert listed(StatusName.ERROR) == []

link = create_download_link.sync(good[0], client=client)
token = link.download_url.removeprefix("/download/")
followed = follow_download_link.sync_detailed(token, client=client)
assert followed.status_code == 302, followed
assert httpx.get(followed.headers["location"]).content == b"one"

refused = create_download_link.sync(bad, client=client)
assert isinstance(refused, Problem) and refused.code == ErrorCode.INFECTED, refused
missing = get_file.sync(UNKNOWN, client=client)
assert isinstance(missing, Problem) and missing.code == ErrorCode.FILE_NOT_FOUND, missing
print("ok")
