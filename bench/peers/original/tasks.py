"""The Celery worker of the design that Airlock replaces."""

import os

import clamd
import redis
from celery import Celery

REDIS = os.environ["PEER_REDIS"]
app = Celery("tasks", broker=f"redis://127.0.0.1:{REDIS}/1", backend=f"redis://127.0.0.1:{REDIS}/2")
app.conf.broker_connection_retry_on_startup = True
records = redis.Redis(port=int(REDIS), decode_responses=True)
STATUSES = {"OK": "clean", "FOUND": "infected"}


@app.task
def scan(file_id, path):
    records.hset(f"file:{file_id}", "scan_status", "scanning")
    with open(path, "rb") as file:
        socket = clamd.ClamdUnixSocket(os.environ["PEER_CLAMD"], timeout=600)
        verdict, detail = socket.instream(file)["stream"]
    status = STATUSES.get(verdict, "error")
    records.hset(f"file:{file_id}", mapping={"scan_status": status, "detail": str(detail)})
