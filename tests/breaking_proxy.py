"""A proxy to the Hub that fails: it forwards requests until one matches, which gets no response, a refusal or another
answer."""

import http.client
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class BreakingProxy:
    """`with BreakingProxy(hub_url, r"^POST .*/commit/") as proxy:` breaks each request whose "METHOD path" matches.

    `status`: answered to those; 0 closes the line instead. `says`: JSON answered to those, one after another, the last
    one for good. `broken`: the paths of those requests.
    """

    def __init__(self, target: str, breaks: str, status: int = 0, says: list[dict] | None = None) -> None:
        address, pattern, broken = urlsplit(target), re.compile(breaks), []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if pattern.search(f"{self.command} {self.path}"):
                    broken.append(self.path)
                    if says:
                        content = json.dumps(says[min(len(broken), len(says)) - 1]).encode()
                        self.send_response(200)
                        self.send_header("Content-Length", str(len(content)))
                        self.end_headers()
                        self.wfile.write(content)
                        return
                    self.close_connection = True
                    if status:
                        self.send_error(status)
                    return
                line = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
                line.request(self.command, self.path, body, dict(self.headers))
                answer = line.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for key, value in answer.getheaders():
                    if key.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(key, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                line.close()

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = handle_any

            def log_message(self, *_: object) -> None:
                return

        self.broken = broken
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> "BreakingProxy":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
