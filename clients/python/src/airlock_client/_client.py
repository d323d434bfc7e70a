"""The client: one method for each step of a file's way through Airlock."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import tempfile
import time
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, Mapping, Optional, Union, cast
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ._errors import AirlockError, refusal
from ._types import DownloadLink, FileInfo, NewFile, ScanStatus

Source = Union[str, Path, bytes, BinaryIO]
"""A path, the bytes themselves, or a file that is open for reading and can seek."""
Target = Union[str, Path]
Token = Union[None, str, Callable[[], str]]

_WAITING = ("pending", "scanning")
_CHUNK = 1 << 20
# The service answers a wait after 20 seconds at the latest.
_WAIT_SECONDS = 20
_SLOW = 40.0


class Airlock:
    """A service at a URL. `token` is the user's token, or a function that returns it before each call."""

    def __init__(self, url: str = "http://127.0.0.1:8000", token: Token = None, *, timeout: float = _SLOW) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._timeout = timeout

    def upload(self, source: Source, *, timeout: Optional[float] = None, **options: Any) -> FileInfo:
        """Uploads a file and waits for its verdict. The options are those of `send`."""
        return self.wait(self.send(source, **options)["file_id"], timeout=timeout)

    def send(
        self,
        source: Source,
        *,
        name: Optional[str] = None,
        content_type: Optional[str] = None,
        max_downloads: Optional[int] = None,
        password: Optional[str] = None,
    ) -> NewFile:
        """Uploads a file without waiting for its verdict. Storage accepts only the bytes that are read here."""
        if isinstance(source, (str, Path)):
            name = name or Path(source).name
            with open(source, "rb") as opened:
                return self._send(opened, name, content_type, max_downloads, password)
        if name is None:
            raise TypeError("`name` is needed for bytes and for open files")
        body = io.BytesIO(source) if isinstance(source, bytes) else source
        return self._send(body, name, content_type, max_downloads, password)

    def _send(
        self,
        body: BinaryIO,
        name: str,
        content_type: Optional[str],
        max_downloads: Optional[int],
        password: Optional[str],
    ) -> NewFile:
        start = body.tell()
        digest, size = hashlib.sha256(), 0
        while chunk := body.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
        body.seek(start)
        wanted = {
            "filename": name,
            "size": size,
            "checksum_sha256": digest.hexdigest(),
            "content_type": content_type,
            "max_downloads": max_downloads,
            "password": password,
        }
        new = self.call("POST", "/files", {key: value for key, value in wanted.items() if value is not None})
        upload = new["upload"]
        headers = {"content-length": str(size), **upload["headers"]}
        _open(Request(upload["url"], body, headers, method=upload["method"]), None).close()
        return {"file_id": new["file_id"]}

    def wait(self, file_id: str, *, timeout: Optional[float] = None) -> FileInfo:
        """Returns the file when it has a verdict or has ended. Raises `TimeoutError` after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            longest = min(_WAIT_SECONDS, max(1.0, self._timeout - 5))
            left = longest if deadline is None else min(longest, deadline - time.monotonic())
            prefer = {"prefer": f"wait={max(0, math.ceil(left))}"}
            answer = self.call("GET", f"/files/{quote(file_id)}/status", headers=prefer)
            info = cast(FileInfo, answer["file_info"])
            if info["scan_status"] not in _WAITING:
                return info
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"no verdict for {file_id} within {timeout:g} seconds")

    def file(self, file_id: str) -> FileInfo:
        return cast(FileInfo, self.call("GET", f"/files/{quote(file_id)}"))

    def files(self, *, status: Optional[ScanStatus] = None) -> Iterator[FileInfo]:
        """Yields the user's files, newest first, page by page."""
        query = {"limit": "100"} if status is None else {"limit": "100", "status": status}
        while True:
            page = self.call("GET", f"/files?{urlencode(query)}")
            yield from page["files"]
            if not page.get("next_cursor"):
                return
            query["cursor"] = page["next_cursor"]

    def delete(self, file_id: str) -> None:
        self.call("DELETE", f"/files/{quote(file_id)}")

    def rescan(self, file_id: str) -> FileInfo:
        return cast(FileInfo, self.call("POST", f"/files/{quote(file_id)}/rescan"))

    def download_link(self, file_id: str) -> DownloadLink:
        link = self.call("GET", f"/files/{quote(file_id)}/download-link")
        return cast(DownloadLink, {**link, "download_url": urljoin(f"{self._url}/", link["download_url"])})

    def download(self, file_id: str, target: Target) -> FileInfo:
        """Saves a clean file. `target` is replaced only when all bytes are those that were judged."""
        link = self.download_link(file_id)
        judged = link["file_info"].get("scan_result", {}).get("sha256")
        digest = hashlib.sha256()
        target = Path(target)
        handle, partial = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with open(handle, "wb") as saved, _open(Request(link["download_url"]), self._timeout) as answer:
                while chunk := _read(answer):
                    digest.update(chunk)
                    saved.write(chunk)
            if digest.hexdigest() != judged:
                raise AirlockError("the downloaded bytes are not those that were judged", code="other_bytes")
            os.replace(partial, target)
        except BaseException:
            os.unlink(partial)
            raise
        return link["file_info"]

    def call(
        self, method: str, path: str, body: Optional[Any] = None, *, headers: Optional[Mapping[str, str]] = None
    ) -> Any:
        """Calls any route of the API, and returns its JSON; `None` if the answer is empty."""
        sent = {"accept": "application/json", **(headers or {})}
        token = self._token() if callable(self._token) else self._token
        if token:
            sent["authorization"] = f"Bearer {token}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["content-type"] = "application/json"
        with _open(Request(self._url + path, data, sent, method=method), self._timeout) as answer:
            text = _read(answer, None)
        return json.loads(text) if text else None


class _Redirects(HTTPRedirectHandler):
    """Follows redirects without the token, unless they stay with the service."""

    def redirect_request(self, req: Request, *more: Any) -> Optional[Request]:
        following = super().redirect_request(req, *more)
        if following is not None and urlsplit(following.full_url)[:2] != urlsplit(req.full_url)[:2]:
            following.remove_header("Authorization")
        return following


_OPENER = build_opener(_Redirects)


def _open(request: Request, timeout: Optional[float]) -> HTTPResponse:
    try:
        return cast(HTTPResponse, _OPENER.open(request, timeout=timeout))
    except HTTPError as answer:
        raise refusal(answer) from None
    except (URLError, HTTPException, OSError) as error:
        why = getattr(error, "reason", None) or error
        raise AirlockError(f"{request.host} does not answer: {why}") from error


def _read(answer: HTTPResponse, n_bytes: Optional[int] = _CHUNK) -> bytes:
    try:
        return answer.read(n_bytes)
    except (HTTPException, OSError) as error:
        raise AirlockError(f"the connection ended in the middle of the answer: {error}") from error
