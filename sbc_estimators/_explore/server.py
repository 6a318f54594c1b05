"""A server for one page on this machine: named parts and answers, no files."""

import secrets
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import numpy as np

HOST = "127.0.0.1"

IDLE_SECONDS = 60
"""After which a connection that asks nothing is closed."""

BYTES, HTML, TEXT = (
    "application/octet-stream",
    "text/html; charset=utf-8",
    "text/plain; charset=utf-8",
)

CLOSED_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""Of all answers but the page."""


class PageServer:
    """Serve a page, its parts, and answers to its questions.

    Only to this machine, only to whoever has the token, and never a file.

    Parameters
    ----------
    page : str
        HTML.
    policy : str
        The content security policy of the page.
    refusal : tuple of str
        HTML of the page that asks for a token, and its policy.
    parts : dict of str to bytes
    answers : dict of str to callable
        From a question, a dict of str to str, to a list of arrays. A ValueError is
        told to whoever asked.
    port : int
        0 for any that is free.

    Raises
    ------
    OSError
        If the port is taken.
    """

    def __init__(self, page, policy, refusal, parts, answers, port):
        self.page, self.policy, self.refusal = page, policy, refusal
        self.parts, self.answers = parts, answers
        self.token = secrets.token_urlsafe(24)
        self._http = _listener(port)
        self._http.served = self
        self.port = self._http.server_address[1]
        self.hosts = {f"{name}:{self.port}" for name in (HOST, "localhost")}
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )
        self._thread.start()

    @property
    def url(self):
        """The address that opens the page, with its token."""
        return f"http://{HOST}:{self.port}/?token={self.token}"

    def stop(self):
        """Answer nothing more, and free the port."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def is_token(self, text):
        """Whether a text is the token; takes as long for any text."""
        return secrets.compare_digest(text.encode("utf-8"), self.token.encode("utf-8"))


def _listener(port):
    """Return what listens at a port."""
    try:
        return _Listener((HOST, port), _Handler)
    except OSError as error:
        raise OSError(
            f"port {port} cannot be used: {error.strerror}. Pass another one, or 0 for "
            "any that is free."
        ) from error


class _Listener(ThreadingHTTPServer):
    """A server that says nothing where a page was closed before its answer."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        """Print an error, unless nobody waits for the answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "sbc-explore", ""
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS

    def do_GET(self):
        """Answer a request, or say why not."""
        served, url = self.server.served, urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        if self.headers.get("Host") not in served.hosts:
            self._say(421, "This server answers to its own address only.")
        elif not served.is_token(self._token(url.path, query)):
            self._refuse(url.path)
        elif url.path == "/":
            self._reply(200, served.page.encode("utf-8"), HTML, policy=served.policy)
        elif (name := url.path[1:]) in served.parts:
            self._reply(200, served.parts[name], BYTES)
        elif name in served.answers:
            self._answer(served.answers[name], query)
        else:
            self._say(404, "There is nothing here.")

    def _token(self, path, query):
        """Return the token of a request: of the page it may stand in the address."""
        given = self.headers.get("X-Token", "")
        return query.get("token", "") if path == "/" and not given else given

    def _answer(self, answer, query):
        """Answer a question with arrays, one after the other."""
        start = time.perf_counter()
        try:
            arrays = answer(query)
        except ValueError as error:
            self._say(400, str(error))
            return
        except Exception as error:
            self._say(500, f"{type(error).__name__}: {error}")
            raise
        milliseconds = 1000 * (time.perf_counter() - start)
        body = b"".join(np.asarray(array, "<f4").tobytes() for array in arrays)
        self._reply(200, body, BYTES, timing=f"map;dur={milliseconds:.2f}")

    def _refuse(self, path):
        """Say that the token is missing; whoever reloads the page knows it."""
        if path == "/":
            html, policy = self.server.served.refusal
            self._reply(403, html.encode("utf-8"), HTML, policy=policy)
        else:
            self._say(403, "The token is missing or wrong.")

    def _say(self, status, text):
        self._reply(status, text.encode("utf-8"), TEXT)

    def send_error(self, code, message=None, explain=None):
        """Say what is wrong with a request that is no GET, or no HTTP."""
        self.close_connection = True
        self._say(code, message or "This is not understood.")

    def _reply(self, status, body, kind, policy=CLOSED_POLICY, timing=None):
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", policy)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        if timing is not None:
            self.send_header("Server-Timing", timing)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format, *args):
        """Write no log: it would hold the token."""
