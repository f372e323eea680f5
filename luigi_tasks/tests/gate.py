"""An S3 server's door: passes requests on, counts them, holds those that a test wants to hold, and makes the server one of less skill."""

import http.client
import re
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from servers import PATIENCE, Moto


class Gate:
    """Stands before the S3 server. While it is shut, requests that match `held` wait in it.

    Headers in `unknown` are dropped, as on a server that does not know them; a request for which `refused` is true is answered with 501.
    Names of headers are in small letters.
    """

    def __init__(
        self,
        moto: Moto,
        held: str = r"(?!)",
        unknown: frozenset[str] = frozenset(),
        refused: Callable[[Mapping[str, str]], bool] = lambda headers: False,
    ) -> None:
        self._held = re.compile(held)
        self.agents: set[str] = set()
        self._open = threading.Event()
        self._open.set()
        self.waiting = threading.Event()
        self.seen: list[str] = []
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Says nothing: the requests are in `seen`."""

            def pass_on(self) -> None:
                request = f"{self.command} {self.path}"
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                gate.seen.append(request)
                if gate._held.search(request) and not gate._open.is_set():
                    gate.waiting.set()
                    gate._open.wait(PATIENCE)
                headers = {name.lower(): value for name, value in self.headers.items()}
                gate.agents.add(headers.get("user-agent", ""))
                if refused(headers):
                    self.send_response(501)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                headers = {name: value for name, value in headers.items() if name not in unknown}
                server = http.client.HTTPConnection("127.0.0.1", moto.port, timeout=PATIENCE)
                server.request(self.command, self.path, body, headers)
                answer = server.getresponse()
                content = answer.read()
                try:
                    self.send_response_only(answer.status)
                    for name, value in answer.getheaders():
                        if name.lower() not in ("transfer-encoding", "connection"):
                            self.send_header(name, value)
                    if not answer.getheader("Content-Length"):
                        self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except OSError:
                    self.close_connection = True  # whoever asked was killed meanwhile

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = pass_on

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def shut(self) -> None:
        """From now on what matches waits."""
        self.waiting.clear()
        self._open.clear()

    def open(self) -> None:
        """Lets everything through."""
        self._open.set()

    def __enter__(self) -> "Gate":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.open()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
