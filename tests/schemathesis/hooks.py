"""Two users and an operator, whose requests are often right: wrong ones are made without help."""

import os
import random

import schemathesis

ALICE, BOB, OPERATOR = os.environ["TOKENS"].split()


@schemathesis.hook
def before_call(context, case, kwargs):
    # Mostly one user, so that what was made is found again; a stranger and an operator now and then.
    token = random.choices([ALICE, BOB, OPERATOR], weights=[4, 1, 1])[0]
    if case.path.startswith(("/stats", "/metrics", "/dead-letters", "/webhooks", "/releases")) or case.path.endswith("/release"):
        token = random.choice([OPERATOR, ALICE])
    case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}


@schemathesis.hook
def map_body(context, body):
    is_new_file = isinstance(body, dict) and isinstance(body.get("filename"), str) and "expires_at" not in body
    if is_new_file and random.random() < 0.7:
        return {"filename": "a.txt", "size": random.choice([1, 5, 1000, None])} | {
            key: body[key] for key in ("method", "max_downloads") if key in body and random.random() < 0.3}
    return body
