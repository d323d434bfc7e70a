"""A form without any script. The browser posts the file straight to storage, with a policy that was signed for this one file; a frame shows what
becomes of it. Standard library only."""

import json
import os
import urllib.request
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

API = os.environ.get("AIRLOCK_URL", "http://127.0.0.1:8000")
STYLE = "<style>body { max-width: 40rem; margin: 2rem auto; font: 16px/1.5 system-ui, sans-serif } iframe { border: 0; width: 100% }</style>"


def ask(path, body=None, headers=None):
    # With users: their token goes into an `authorization` header here, on your server.
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(API + path, data, {"content-type": "application/json", **(headers or {})})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def start_page():
    # Only the button creates a file: pages are also fetched by crawlers, previews and reloads.
    return f"""<!doctype html><meta charset="utf-8"><title>Form and Airlock</title>{STYLE}
        <h1>Your application</h1>
        <p>You need your CV as a PDF.</p>
        <form method="post" action="/application"><button>Apply</button></form>"""


def form_page():
    new = ask("/files", {"filename": "application.pdf", "content_type": "application/pdf", "method": "post"})
    fields = "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in new["upload"]["fields"].items())
    return f"""<!doctype html><meta charset="utf-8"><title>Form and Airlock</title>{STYLE}
        <h1>Your application</h1>
        <form action="{escape(new["upload"]["url"])}" method="post" enctype="multipart/form-data" target="answer">
          {fields}
          <p><label>A PDF <input type="file" name="file" accept="application/pdf" required></label></p>
          <p><button>Send</button></p>
        </form>
        <iframe name="answer" title="The answer of storage" style="display: none"></iframe>
        <iframe src="/verdict?id={escape(new["file_id"])}" title="What becomes of it"></iframe>"""


def verdict_page(file_id):
    status = ask(f"/files/{file_id}/status")
    info, link = status["file_info"], ""
    if info["scan_status"] == "clean":
        link = f'<a href="{escape(API + ask(f"/files/{file_id}/download-link")["download_url"])}" target="_top">Download</a>'
    refresh = '<meta http-equiv="refresh" content="1">' if info["scan_status"] in ("pending", "scanning") else ""
    return f'<!doctype html><meta charset="utf-8"><title>Verdict</title>{refresh}{STYLE}<p id="verdict">{escape(status["message"])} {link}</p>'


class Pages(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/":
            self.send_page(start_page())
        elif url.path == "/verdict":
            self.send_page(verdict_page(parse_qs(url.query)["id"][0]))
        else:
            self.send_error(404)

    def do_POST(self):
        if self.path != "/application":
            return self.send_error(404)
        self.send_page(form_page())

    def send_page(self, page):
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        # Each visitor gets a form of their own.
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "5173"))
    print(f"http://localhost:{port}", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Pages).serve_forever()
