"""The design that Airlock replaces: an upload is stored, a Celery worker streams it to clamd, clients poll its status in Redis."""

import os
import uuid

import aiofiles
import redis.asyncio
from fastapi import FastAPI, HTTPException, UploadFile
from fastapi.responses import FileResponse

from tasks import scan

STORED = os.environ["PEER_FILES"]
records = redis.asyncio.Redis(port=int(os.environ["PEER_REDIS"]), decode_responses=True)
app = FastAPI()


@app.post("/upload")
async def upload(file: UploadFile):
    file_id = str(uuid.uuid4())
    path = f"{STORED}/{file_id}"
    async with aiofiles.open(path, "wb") as stored:
        while chunk := await file.read(1 << 20):
            await stored.write(chunk)
    record = {"filename": file.filename, "path": path, "scan_status": "pending"}
    await records.hset(f"file:{file_id}", mapping=record)
    await records.expire(f"file:{file_id}", 7 * 24 * 3600)
    scan.delay(file_id, path)
    return {"file_id": file_id}


@app.get("/status/{file_id}")
async def status(file_id: str):
    record = await records.hgetall(f"file:{file_id}")
    if not record:
        raise HTTPException(404)
    return {"file_id": file_id, "scan_status": record["scan_status"]}


@app.get("/download/{file_id}")
async def download(file_id: str):
    record = await records.hgetall(f"file:{file_id}")
    if not record:
        raise HTTPException(404)
    if record["scan_status"] != "clean":
        raise HTTPException(403)
    return FileResponse(record["path"], filename=record["filename"])
