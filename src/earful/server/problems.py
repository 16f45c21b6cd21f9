"""Errors of requests in the form of OpenAI's API: `{"error": {message, type, param, code}}`."""

import logging
import sqlite3
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from earful.errors import EarfulError
from earful.server.room import is_full

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 409: "conflict_error"}
_WORDS = {"type": ["string", "null"]}
_SCHEMA = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {"message": {"type": "string"}, "type": {"type": "string"}, "param": _WORDS, "code": _WORDS},
        }
    },
}
_ERRORS: dict[int | str, str] = {
    "4XX": "What is wrong with the request: 400 in itself, 401 no token, 403 another site's page, 404 no such thing, "
    "409 somebody else was first, 413 too large, 416 no such part.",
    503: "Too many requests wait already; `Retry-After` says how long to wait.",
    507: "The disk of the server is full.",
}
DESCRIBED: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/json": {"schema": _SCHEMA}}}
    for status, text in _ERRORS.items()
}
"""The error responses in the API's description."""
PART: dict[int | str, dict[str, Any]] = {206: {"description": "The part of the file that `Range` names."}}
log = logging.getLogger("earful.server")


class Problem(Exception):
    """A refused request: HTTP status, message, parameter, and a code for programs.

    `more` is added to the body beside the error, `headers` to the response.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        more: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.more, self.headers = more or {}, headers or {}


def answer(problem: Problem) -> JSONResponse:
    """The response of a problem."""
    kind = _TYPES.get(problem.status, "invalid_request_error" if problem.status < 500 else "server_error")
    error = {"message": problem.message, "type": kind, "param": problem.param, "code": problem.code}
    return JSONResponse({"error": error, **problem.more}, problem.status, problem.headers)


def explained(error: Exception) -> Problem:
    """The problem for any exception: with its own message if that is meant for users."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        return Problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        place = [str(part) for part in first["loc"] if part not in ("body", "query", "path", "header")]
        param = ".".join(place) or None
        return Problem(400, f"{param or 'the request'}: {first['msg']}", param=param, code=str(first["type"]))
    if is_full(error):
        return Problem(507, "the disk of the server is full; make room there, and try again", code="disk_full")
    if isinstance(error, EarfulError):
        return Problem(400, " ".join(str(error).split("\n")), code="unusable")
    log.error("a fault of earful", exc_info=error)
    return Problem(500, f"a fault of earful: {type(error).__name__}; the log of the server says more", code="fault")


def install(app: FastAPI) -> None:
    """Install handlers that answer every error of a route in this form."""

    async def handle(_: Request, error: Exception) -> JSONResponse:
        return answer(explained(error))

    for kind in (Problem, HTTPException, RequestValidationError, EarfulError, OSError, sqlite3.Error, Exception):
        app.add_exception_handler(kind, handle)
