"""Access control before any body is read: the token, the host of the request, and the origin of the page.

A page of another site can make a browser send requests to this machine, and its own host name can be made to resolve to
this machine (DNS rebinding). So a request must name one of this server's hosts, and its page must be from that host.
"""

import hmac
import ipaddress
import socket
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from earful.server.problems import Problem, answer
from earful.server.settings import Settings, is_loopback

COOKIE = "earful-token"
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}
_KEY_PROTOCOL = "openai-insecure-api-key."  # the WebSocket subprotocol in which OpenAI's clients in browsers send a key


class Guard:
    """ASGI middleware for HTTP and WebSockets."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._token, self._names = app, settings.token, our_names(settings)
        self._open = not is_loopback(settings.host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        problem = self._foreign(headers, scope) or self._unknown(headers, scope)
        if scope["type"] == "websocket":
            await (_refuse(receive, send) if problem else self._app(scope, receive, send))
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY)
            await send(message)

        response: ASGIApp | Response = self._entering(scope) or (answer(problem) if problem else self._app)
        await response(scope, receive, secured)

    def _foreign(self, headers: Headers, scope: Scope) -> Problem | None:
        """The reason to refuse a request from a page of another host, if any."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._ours(hosts[0]):
            return Problem(403, "the request names another host; open the server by its own address", code="host")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != hosts[0].lower():
            return Problem(403, "the request comes from a page of another site", code="origin")
        navigates = scope["type"] == "http" and headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        if headers.get("sec-fetch-site") == "cross-site" and not navigates:
            return Problem(403, "the request comes from a page of another site", code="origin")
        return None

    def _unknown(self, headers: Headers, scope: Scope) -> Problem | None:
        """The reason to refuse a request without the token, if one is needed."""
        if not self._token or any(same(each, self._token) for each in _tokens(headers)):
            return None
        message = "a token is needed: open the address that `earful serve` printed, or send Authorization: Bearer …"
        return Problem(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})

    def _ours(self, host: str) -> bool:
        name = _name_of(host)
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self._open  # without a host name there is no DNS rebinding

    def _entering(self, scope: Scope) -> Response | None:
        """Answer `/?token=…` with a cookie and a redirect, so that the token is not kept in the browser's history."""
        if not self._token or scope["method"] != "GET" or b"token=" not in scope["query_string"]:
            return None
        if not self._ours(Headers(scope=scope).get("host", "")):
            return None
        asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if not any(key == "token" and same(value, self._token) for key, value in asked):
            return None
        rest = urlencode([(key, value) for key, value in asked if key != "token"])
        path = "/" + scope["path"].lstrip("/")  # two slashes at the start would be another host
        response = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
        response.set_cookie(COOKIE, self._token, httponly=True, samesite="strict", max_age=365 * 86400)
        return response


def our_names(settings: Settings) -> frozenset[str]:
    """The host names of this server."""
    names = {"localhost", settings.host.lower().strip("[]"), *(name.lower() for name in settings.names)}
    if not is_loopback(settings.host):
        name = socket.gethostname().lower()
        names |= {name, f"{name}.local", socket.getfqdn().lower()}
    return frozenset(names)


def same(given: str, token: str) -> bool:
    """Whether two tokens are equal, compared in constant time."""
    return hmac.compare_digest(given.encode(), token.encode())


def _name_of(host: str) -> str:
    """The host of a header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _tokens(headers: Headers) -> list[str]:
    """The tokens in a request: from OpenAI's clients, from a browser's cookie, or from a WebSocket."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    found = [key.strip()] if scheme.lower() == "bearer" else []
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        cookie = None
    found += [cookie.value] if cookie else []
    offered = (each.strip() for each in headers.get("sec-websocket-protocol", "").split(","))
    return found + [each.removeprefix(_KEY_PROTOCOL) for each in offered if each.startswith(_KEY_PROTOCOL)]


async def _refuse(receive: Receive, send: Send) -> None:
    """A WebSocket is closed before it is accepted, which clients see as 403."""
    await receive()
    await send({"type": "websocket.close", "code": 1008, "reason": "not allowed"})
