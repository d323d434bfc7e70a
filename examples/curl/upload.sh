#!/usr/bin/env bash
# Uploads a file straight to storage, waits for its verdict and downloads it. Needs curl and python3 (to read JSON).
# With users: -H "Authorization: Bearer $TOKEN" at every call of the API, and never at storage.
set -euo pipefail
api=${AIRLOCK_URL:-http://127.0.0.1:8000} file=${1:?upload.sh FILE}
field() { python3 -c 'import json, sys; value = json.load(sys.stdin)
for name in sys.argv[1].split("."): value = value[name]
print(value)' "$1"; }

new=$(python3 -c 'import json, os, sys; print(json.dumps({"filename": os.path.basename(sys.argv[1]), "size": os.path.getsize(sys.argv[1])}))' "$file")
accepted=$(curl --fail-with-body -sS "$api/files" -H "Content-Type: application/json" -d "$new")
id=$(field file_id <<<"$accepted")
curl --fail-with-body -sS -X PUT -T "$file" -H "content-type: application/octet-stream" -H "if-none-match: *" "$(field upload.url <<<"$accepted")"

status=pending
while [ "$status" = pending ] || [ "$status" = scanning ]; do
  # Answered when it changes, after 20 seconds at the latest.
  status=$(curl --fail-with-body -sS -H "Prefer: wait=20" "$api/files/$id/status" | field file_info.scan_status)
done
echo "$id is $status"
[ "$status" = clean ] || exit 10
link=$(curl --fail-with-body -sS "$api/files/$id/download-link" | field download_url)
curl --fail -sSL "$api$link" | cmp - "$file" && echo "what comes back is what was sent"
