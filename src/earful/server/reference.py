"""`/docs`: one page with all routes, made from `/openapi.json`, without scripts and external resources."""

from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse


def routes(app: FastAPI) -> APIRouter:
    """The route of the page."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    def page() -> HTMLResponse:
        return HTMLResponse(written(app.openapi()))

    return router


def written(described: dict[str, Any]) -> str:
    """HTML with a heading, a description and the parameters of each route."""
    parts = [
        _route(method.upper(), path, route)
        for path, each in described["paths"].items()
        for method, route in each.items()
    ]
    title = escape(f"{described['info']['title']} {described['info']['version']}")
    head = f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n<h1>{title}</h1>\n'
    more = '<p>The same for programs: <a href="/openapi.json">openapi.json</a></p>\n'
    return head + more + "".join(parts) + "</html>\n"


def _route(method: str, path: str, route: dict[str, Any]) -> str:
    named = [
        (each["name"], each["in"], each.get("required", False), each.get("description", ""))
        for each in route.get("parameters", ())
    ]
    kinds = route.get("requestBody", {}).get("content", {})
    rows = "".join(
        f"<li><code>{escape(name)}</code>, {place}{', required' * required} {escape(what)}</li>\n"
        for name, place, required, what in named
    )
    takes = f"<p>Takes {escape(', '.join(kinds))}.</p>\n" if kinds else ""
    listed = f"<ul>\n{rows}</ul>\n" if rows else ""
    return (
        f"<h2><code>{method} {escape(path)}</code></h2>\n<p>{escape(route.get('description', ''))}</p>\n{takes}{listed}"
    )
