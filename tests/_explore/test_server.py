"""The server: to whom it answers, and what; asked by a client."""

import contextlib
import http.client
import threading
import time

import numpy as np
import pytest

from sbc_estimators._explore.server import PageServer

PARTS = {"mask": b"\x01\x00\x01"}


def answer_map(query):
    """Answer as a map does: refuse, fail, or return two arrays."""
    if query.get("place") == "bad":
        raise ValueError("place must be a number from 0 to 2, got 'bad'.")
    if query.get("place") == "broken":
        raise RuntimeError("the run is gone")
    return np.arange(3.0), np.array([0.5])


@pytest.fixture(scope="module")
def served():
    server = PageServer(
        "<p>page</p>",
        "default-src 'none'; script-src 'self'",
        ("<p>token?</p>", "default-src 'none'"),
        PARTS,
        {"map": answer_map},
        0,
    )
    yield server
    server.stop()


def ask(served, path, *, method="GET", host=None, token=True, body=None):
    """Return the status, the headers and the body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    with contextlib.closing(connection):
        connection.putrequest(method, path, skip_host=True)
        if host != "":
            connection.putheader("Host", host or f"127.0.0.1:{served.port}")
        if token:
            connection.putheader("X-Token", served.token if token is True else token)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


def test_the_url_opens_the_page(served):
    path = served.url.partition(str(served.port))[2]
    status, headers, body = ask(served, path, token=False)
    assert (status, body) == (200, b"<p>page</p>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"] == "default-src 'none'; script-src 'self'"


def test_it_listens_to_this_machine_only(served):
    assert served._http.server_address[0] == "127.0.0.1"


def test_localhost_is_this_machine(served):
    assert ask(served, "/mask", host=f"localhost:{served.port}")[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "", "[::1]:{port}"]
)
def test_another_host_is_refused(served, host):
    # A page elsewhere whose name leads to this machine says its own name.
    status, _, body = ask(served, "/", host=host.replace("{port}", str(served.port)))
    assert status == 421
    assert b"own address" in body


@pytest.mark.parametrize("token", [False, "wrong", "é", ""])
@pytest.mark.parametrize("path", ["/", "/mask", "/map?place=1", "/nothing"])
def test_nothing_without_the_token(served, path, token):
    if token == "é":
        token = "é".encode().decode("latin-1")
    status, headers, body = ask(served, path, token=token)
    assert status == 403
    assert b"page" not in body.replace(b"pages", b"")
    assert served.token.encode() not in body
    assert "script-src" not in headers["Content-Security-Policy"]


def test_the_token_stands_in_no_address_but_that_of_the_page(served):
    assert ask(served, f"/mask?token={served.token}", token=False)[0] == 403
    assert ask(served, f"/?token={served.token}", token=False)[0] == 200


def test_each_server_has_a_token_of_its_own(served):
    other = PageServer("", "", ("", ""), {}, {}, 0)
    try:
        assert other.token != served.token
        assert len(other.token) >= 32
    finally:
        other.stop()


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/mask/", "/../mask", "/etc/passwd", "/%2e%2e/x", "/page"],
)
def test_only_what_has_a_name_is_there(served, path):
    assert ask(served, path)[0] == 404


def test_parts_are_served_as_they_are(served):
    status, headers, body = ask(served, "/mask")
    assert (status, body) == (200, PARTS["mask"])
    assert headers["Content-Type"] == "application/octet-stream"


def test_nobody_may_keep_or_embed_an_answer(served):
    for path in ("/", "/mask", "/map?place=1", "/nothing"):
        _, headers, _ = ask(served, path)
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert not any(name.startswith("Access-Control") for name in headers)
        assert headers["Server"].strip() == "sbc-explore"


def test_an_answer_is_arrays_and_how_long_it_took(served):
    status, headers, body = ask(served, "/map?place=1")
    assert status == 200
    np.testing.assert_array_equal(np.frombuffer(body, "<f4"), [0, 1, 2, 0.5])
    assert headers["Server-Timing"].startswith("map;dur=")


def test_a_senseless_question_is_told_so(served):
    status, _, body = ask(served, "/map?place=bad")
    assert (status, body) == (400, b"place must be a number from 0 to 2, got 'bad'.")


def test_what_breaks_is_told_and_the_server_goes_on(served, capsys):
    status, _, body = ask(served, "/map?place=broken")
    assert (status, body) == (500, b"RuntimeError: the run is gone")
    assert ask(served, "/mask")[0] == 200
    printed, end = "", time.monotonic() + 10
    while "the run is gone" not in printed and time.monotonic() < end:
        printed += capsys.readouterr().err
    assert "RuntimeError: the run is gone" in printed


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_nothing_can_be_sent(served, method):
    status, headers, _ = ask(served, "/map", method=method, body=b"x")
    assert status == 501
    assert headers["Cache-Control"] == "no-store"


def test_one_connection_asks_many_things(served):
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    with contextlib.closing(connection):
        for _ in range(3):
            connection.request("GET", "/mask", headers={"X-Token": served.token})
            assert connection.getresponse().read() == PARTS["mask"]


def test_a_page_that_is_closed_before_its_answer_says_nothing(capsys):
    begun, go_on = threading.Event(), threading.Event()

    def slow(query):
        begun.set()
        go_on.wait(10)
        return (np.zeros(10**6),)

    server = PageServer("", "", ("", ""), PARTS, {"map": slow}, 0)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/map", headers={"X-Token": server.token})
    assert begun.wait(10)
    connection.close()
    go_on.set()
    assert ask(server, "/mask")[0] == 200
    server.stop()
    assert capsys.readouterr().err == ""


def test_a_port_that_is_taken_is_told(served):
    with pytest.raises(OSError, match=f"port {served.port} cannot be used: .*Pass"):
        PageServer("", "", ("", ""), {}, {}, served.port)


def test_once_stopped_the_port_is_free():
    server = PageServer("", "", ("", ""), {}, {}, 0)
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(server, "/")
    again = PageServer("", "", ("", ""), {}, {}, server.port)
    assert again.port == server.port
    again.stop()
