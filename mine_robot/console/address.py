"""Where the console listens, under which conditions it may, and the token of those who come from elsewhere."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

BACKLOG = 128  # connections that wait for the server


def is_loopback(host: str) -> bool:
    """True if only this machine can reach a server that listens on ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ListenError(ValueError):
    """The console cannot listen as it should; one line says why."""


@dataclass(frozen=True)
class Address:
    """Where to listen; ``certificate`` and ``key`` are PEM files for TLS, empty for none; ``token`` is the file of a token that is
    there already, empty for one of the run's own."""

    host: str
    port: int
    certificate: str = ""
    key: str = ""
    token: str = ""

    @property
    def local(self) -> bool:
        """True if only this machine reaches it."""
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        """What to open in a browser."""
        host = self.host
        if host in ("0.0.0.0", "::"):
            host = socket.gethostname()
        return f"{'https' if self.certificate else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def check(self) -> None:
        """Raise :class:`ListenError` if a stranger could read along: beyond this machine only with TLS."""
        if bool(self.certificate) != bool(self.key):
            raise ListenError("the console needs both a certificate and its key")
        if not self.local and not self.certificate:
            raise ListenError(
                f"the console listens on {self.host}, which others reach, only with TLS: give a certificate and a key (docs/console.md)"
            )
        for file in filter(None, (self.certificate, self.key)):
            if not Path(file).is_file():
                raise ListenError(f"{file}: no such file")

    def bind(self) -> socket.socket:
        """A listening socket; raises :class:`ListenError` if the address cannot be had."""
        self.check()
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, self.port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise ListenError(f"the console cannot listen on {self.host}:{self.port}: {error.strerror}") from None
        return listener


def token_in(path: Path) -> str:
    """The token in the file ``path``, which is made, for its owner only, if there is none."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        token = path.read_text(encoding="ascii").strip()
        if len(token) < 16:
            raise ListenError(f"{path}: holds no token of 16 characters or more") from None
        return token
    token = secrets.token_urlsafe(18)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return token
