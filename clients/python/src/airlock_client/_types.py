"""The shapes of Airlock's answers, as openapi.json describes them. Answers may have more members than these."""

from __future__ import annotations

from typing import Dict, List, Literal, Optional, TypedDict

ScanStatus = Literal[
    "pending", "scanning", "clean", "infected", "released", "unscannable", "error", "expired", "deleted"
]


class _Verdict(TypedDict):
    status: ScanStatus
    scan_duration: float
    scanned_at: str


class ScanResult(_Verdict, total=False):
    """A verdict. `sha256` is that of the bytes that were judged."""

    sha256: str
    signature: str
    reason: str
    explanation: str
    engine_version: str
    openers: List[str]
    used_password: bool


class _File(TypedDict):
    file_id: str
    filename: str
    content_type: str
    upload_timestamp: str
    scan_status: ScanStatus
    download_count: int
    tags: Dict[str, str]
    expires_at: str


class FileInfo(_File, total=False):
    """A file and its status. Only `clean` and `released` files can be downloaded."""

    file_size: Optional[int]
    scan_result: ScanResult
    rescanning: bool
    release_reason: str
    release_revoked_reason: str
    max_downloads: int


class NewFile(TypedDict):
    """An upload that has arrived at storage."""

    file_id: str


class DownloadLink(TypedDict):
    """A link, with an absolute URL. Anyone with this URL can download the file."""

    download_url: str
    expires_at: str
    file_info: FileInfo
