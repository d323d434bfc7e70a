"""Uploads files to Airlock, waits for their verdicts, and downloads clean ones."""

from ._client import Airlock, Source, Target
from ._errors import AirlockError
from ._types import DownloadLink, FileInfo, NewFile, ScanResult, ScanStatus

__all__ = [
    "Airlock",
    "AirlockError",
    "DownloadLink",
    "FileInfo",
    "NewFile",
    "ScanResult",
    "ScanStatus",
    "Source",
    "Target",
]
