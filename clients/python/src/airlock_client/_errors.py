"""The error of this client, made from a problem document (RFC 9457)."""

from __future__ import annotations

import json
from typing import List, Optional
from urllib.error import HTTPError


class AirlockError(Exception):
    """A refusal by Airlock or by storage, or a failure of the network: then `status` is 0 and `code` is `network`."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str = "network",
        reason: Optional[str] = None,
        request_id: Optional[str] = None,
        retry_after: Optional[float] = None,
        accepted_extensions: Optional[List[str]] = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.reason = reason
        self.request_id = request_id
        self.retry_after = retry_after
        self.accepted_extensions = accepted_extensions


def refusal(answer: HTTPError) -> AirlockError:
    """Returns the error of an answer, also if the answer came from something else, such as a proxy."""
    with answer:
        try:
            body = json.loads(answer.read())
        except ValueError:
            body = {}
    if not isinstance(body, dict):
        body = {}
    after = answer.headers.get("retry-after", "")
    return AirlockError(
        body.get("detail") or f"the service answered {answer.code}",
        status=answer.code,
        code=body.get("code", "unknown"),
        reason=body.get("reason"),
        request_id=body.get("requestId"),
        retry_after=float(after) if after.isdigit() else None,
        accepted_extensions=body.get("accepted_extensions"),
    )
