"""Uses the published Python client: upload, wait, list with a filter, download, and errors."""

import io
import sys
import tempfile
from pathlib import Path

from airlock_client import Airlock, AirlockError

# In two halves, so that no scanner takes this file for the test file.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}" + b"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def error_of(call, *args, **options):
    try:
        call(*args, **options)
    except AirlockError as error:
        return error
    raise AssertionError("no error")


airlock = Airlock(sys.argv[1])
with tempfile.TemporaryDirectory() as directory:
    source, copy = Path(directory, "invoice.txt"), Path(directory, "copy.txt")
    source.write_bytes(b"good" * 1_000_000)
    good = airlock.upload(source, max_downloads=3)
    assert good["scan_status"] == "clean" and good["filename"] == "invoice.txt", good
    airlock.download(good["file_id"], copy)
    assert copy.read_bytes() == source.read_bytes()

    bad = airlock.upload(EICAR, name="bad.txt")
    assert bad["scan_status"] == "infected" and "Eicar" in bad["scan_result"]["signature"], bad
    refused = error_of(airlock.download, bad["file_id"], copy)
    assert (refused.status, refused.code) == (403, "infected"), refused
    assert copy.read_bytes() == source.read_bytes(), "a refusal replaces nothing"
    assert {path.name for path in Path(directory).iterdir()} == {"invoice.txt", "copy.txt"}, "and leaves nothing"

    opened = airlock.upload(io.BytesIO(b"from memory"), name="memory.txt")
    listed = [file["file_id"] for file in airlock.files(status="clean")]
    assert listed == [opened["file_id"], good["file_id"]], listed
    assert airlock.file(opened["file_id"])["scan_status"] == "clean"
    airlock.delete(opened["file_id"])

refused = error_of(airlock.upload, b"MZ", name="setup.exe")
assert refused.code == "extension_not_allowed" and "docx" in (refused.accepted_extensions or []), vars(refused)
assert str(refused) == "Files of the type .exe are not accepted.", refused
nowhere = error_of(Airlock("http://127.0.0.1:1").call, "GET", "/health")
assert (nowhere.status, nowhere.code) == (0, "network") and "does not answer" in str(nowhere), nowhere
print("ok")
