"""Who may ask for what: every check a request has to pass, without a server.

Threats and answers: a foreign page in the operator's browser (CSRF, WebSocket hijacking: the origin has to be ours, and a header that
foreign pages cannot send without leave), a foreign name that points here (DNS rebinding: the Host has to be ours), a stranger on the
network (token, and TLS so that it stays secret), a flood or a bomb (limits of size and rate). OWASP: CSRF Prevention Cheat Sheet.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import socket
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

MAX_BODY = 2048  # bytes; a comment of the longest length in any script fits
MAX_FIELD = 256_000  # bytes of a field to plan
MAX_COMMENT = 300  # characters
MARKER_HEADER = "x-console"  # a header of our own: a browser asks first before it sends one to another origin
COOKIE = "console"
LOGINS = 5  # wrong tokens of an address, after which it has to wait
LOGIN_WAIT_S, LOGIN_WAIT_MAX_S = 10.0, 900.0  # at first, doubled with every further one, and at most
FORGET_S = 3600.0  # without a wrong token, after which an address is as good as any
ADDRESSES = 1024  # of which wrong tokens are remembered
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Refusal(Exception):
    """Why a request is refused: HTTP status and one line."""

    status: int
    reason: str


class Body(BaseModel):
    """What a request says: these fields and no other, of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True)


B = TypeVar("B", bound=Body)


class MissionBody(Body):
    """A command to the mission."""

    command: Literal["start", "pause", "resume", "abort"]


class ControlBody(Body):
    """Taking or giving up control; ``from_other`` takes it from another page."""

    action: Literal["take", "release"]
    from_other: bool = False


class RemarkBody(Body):
    """What the operator says of a target, or of the present hold; a comment is one line of printable characters."""

    kind: Literal["confirm", "reject", "acknowledge", "release"]
    target: int = Field(default=-1, ge=-1, lt=2**31)
    comment: str = Field(default="", max_length=MAX_COMMENT)

    @field_validator("comment")
    @classmethod
    def _one_line(cls, comment: str) -> str:
        return "".join(letter if letter.isprintable() else " " for letter in comment).strip()


class PreviewBody(Body):
    """A field to plan: a field file, a KML file, or polygons that were drawn; ``roles`` of features by number, "" leaves one out."""

    field: dict[str, Any] | None = None
    kml: str | None = None
    sketch: dict[str, Any] | None = None
    roles: dict[str, Literal["hazard_area", "safe_area", "no_go", "known_target", ""]] = {}

    @model_validator(mode="after")
    def _one(self) -> PreviewBody:
        if [self.field, self.kml, self.sketch].count(None) != 2:
            raise ValueError("one of field, kml and sketch")
        return self


class LaunchBody(Body):
    """The field on which a mission is to start."""

    field: dict[str, Any]


class EmptyBody(Body):
    """Nothing is to be said."""


class SensorsBody(Body):
    """What a page wants to see of the sensors; nothing without ``on``."""

    on: bool
    channel: int = Field(default=0, ge=0, lt=1000)
    processed: bool = True


class EvidenceBody(Body):
    """The target whose evidence a page wants to see."""

    target: int = Field(ge=0, lt=2**31)


class LoginBody(Body):
    """The token."""

    token: str


def parse(body: bytes, kind: type[B]) -> B:
    """Read a JSON body by its schema."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise Refusal(422, f"{where}: {first['msg']}") from None


class Attempts:
    """Wrong tokens by address: how long each has to wait. IPv6 networks of /64 count as one address: their owner has them all."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[int, float]] = (
            OrderedDict()
        )  # number and time of the last one, oldest first

    def wait(self, address: str, now: float) -> float:
        """Seconds until the address may try again; 0 if it may."""
        count, last = self._wrong.get(_network(address), (0, now))
        if count < LOGINS or now - last > FORGET_S:
            return 0.0
        return max(last + min(LOGIN_WAIT_S * 2.0 ** min(count - LOGINS, 20), LOGIN_WAIT_MAX_S) - now, 0.0)

    def failed(self, address: str, now: float) -> None:
        """Another wrong token."""
        count, last = self._wrong.pop(_network(address), (0, now))
        self._wrong[_network(address)] = (1 if now - last > FORGET_S else count + 1, now)
        if len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)

    def forget(self, address: str) -> None:
        """The right token."""
        self._wrong.pop(_network(address), None)


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _network(address: str) -> str:
    found = _ip(address)
    return str(ipaddress.ip_network((found, 64), strict=False)) if isinstance(found, ipaddress.IPv6Address) else address


def _loopback(address: str) -> bool:
    found = _ip(address)
    return found is not None and found.is_loopback


class Access:
    """The checks of one server. ``token`` empty: none is needed, for a server that only this machine reaches."""

    def __init__(self, *, tls: bool, token: str = "") -> None:
        self._scheme = "https" if tls else "http"
        self._token = token
        self._names = {"localhost", socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}
        self._attempts = Attempts()

    @property
    def needs_token(self) -> bool:
        """True if pages have to log in."""
        return bool(self._token)

    def check_host(self, headers: Mapping[str, str]) -> None:
        """The name by which we are asked: an address or a name of this machine, never a foreign name that points here."""
        name = headers.get("host", "").lower()
        name = name[1 : name.find("]")] if name.startswith("[") else name.rsplit(":", 1)[0] if ":" in name else name
        if name in self._names:
            return
        try:
            ipaddress.ip_address(name)
        except ValueError:
            raise Refusal(421, f"not a name of this machine: {name[:80]!r}") from None

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """The page that asks is ours."""
        origin, wanted = headers.get("origin"), f"{self._scheme}://{headers.get('host', '')}"
        if origin is None or origin.lower() != wanted.lower():
            raise Refusal(403, f"foreign origin {(origin or 'none')[:80]!r}")
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise Refusal(403, "the request comes from another site")

    def check_fetch(self, headers: Mapping[str, str]) -> None:
        """What a download has to show, beside the token: that no other site asks for it."""
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refusal(403, "the request comes from another site")

    def check_change(self, headers: Mapping[str, str]) -> None:
        """What every request that changes something has to show, beside the token."""
        self.check_origin(headers)
        if headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise Refusal(415, "the body has to be application/json")
        if not headers.get(MARKER_HEADER):
            raise Refusal(403, f"the header {MARKER_HEADER} is missing")

    def check_login(self, headers: Mapping[str, str]) -> None:
        """The page has logged in, where that is needed."""
        if not self._token:
            return
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            morsel = None
        if morsel is None or not hmac.compare_digest(morsel.value.encode(), self.pass_value().encode()):
            raise Refusal(401, "log in with the token")

    def login(self, token: str, now: float, address: str = "") -> str:
        """Exchange the token for the content of the cookie; an ``address`` with too many wrong ones has to wait, no other one has.

        Behind a proxy on this machine everybody has its address: there, wrong tokens are told to wait, and the right one is let in.
        """
        wait = self._attempts.wait(address, now)
        right = hmac.compare_digest(token.encode(), self._token.encode())
        if wait > 0.0 and not (right and _loopback(address)):
            raise Refusal(429, f"too many wrong tokens: wait {math.ceil(wait)} s")
        if not right:
            self._attempts.failed(address, now)
            raise Refusal(401, "wrong token")
        self._attempts.forget(address)
        return self.pass_value()

    def pass_value(self) -> str:
        """The content of the cookie: from the token, so that a server that is started again knows its pages."""
        return hmac.new(self._token.encode(), b"mine_robot console", hashlib.sha256).hexdigest()
