"""Whether a download can begin."""

import socket
from collections.abc import Iterable
from urllib.parse import urlsplit
from urllib.request import getproxies

CONNECT_SECONDS = 10.0
PORTS = {"http": 80, "ftp": 21}


def unreachable(urls: Iterable[str]) -> str:
    """A host of these that does not answer within CONNECT_SECONDS; "" if all do, or if a proxy stands between.

    Libraries that download try for minutes, without a word.
    """
    parts = [] if getproxies() else [urlsplit(url) for url in urls]
    for host, port in sorted({(own.hostname or "", own.port or PORTS.get(own.scheme, 443)) for own in parts}):
        try:
            socket.create_connection((host, port), CONNECT_SECONDS).close()
        except OSError:
            return host
    return ""
