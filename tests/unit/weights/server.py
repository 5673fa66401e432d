"""A web server on this machine that can break off, refuse ranges or change its mind."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site(ThreadingHTTPServer):
    """Serves ``content`` at every path but ``/gone``."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.has_ranges = True
        self.breaks: list[int] = []  # bytes after which each of the next answers breaks off
        self.failures: list[int] = []  # status of each of the next answers
        self.requests: list[tuple[str, str | None]] = []  # path, Range header
        self.sent = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.requests.append((self.path, wanted))
        if self.path.startswith("/gone"):
            self.send_error(404)
            return
        if self.server.failures:
            self.send_error(self.server.failures.pop(0))
            return
        content = self.server.content
        first = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        if not self.server.has_ranges:
            first = 0
        if first >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        body = content[first:]
        if self.server.breaks:
            body = body[: self.server.breaks.pop(0)]
        self.server.sent += len(body)
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def served(content: bytes):
    """Serve ``content`` until the block ends."""
    site = Site(content)
    thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        site.shutdown()
        thread.join()
        site.server_close()
