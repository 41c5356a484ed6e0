"""Which hosts a download needs, and whether they answer."""

import socket

import pytest

from wcgan_tf.core import network


def test_a_host_that_does_not_answer_is_named(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = server.getsockname()[1]
        assert network.unreachable([f"https://127.0.0.1:{there}/file"]) == ""
    assert network.unreachable([f"https://127.0.0.1:{there}/file"]) == "127.0.0.1"
    assert network.unreachable([]) == ""


def test_ports_are_those_of_the_protocols(monkeypatch):
    asked = []
    monkeypatch.setattr(socket, "create_connection", lambda address, seconds: asked.append(address) or socket.socket())
    network.unreachable(["https://a/1", "https://a/2", "http://b/1", "ftp://c:2121/1"])
    assert asked == [("a", 443), ("b", 80), ("c", 2121)]


def test_behind_a_proxy_nothing_is_asked(monkeypatch):
    """Only the proxy knows which hosts it reaches."""
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setattr(socket, "create_connection", pytest.fail)
    assert network.unreachable(["https://a/1"]) == ""
