"""`/v1/models`: the list of models, as in OpenAI's API."""

from typing import Any

from fastapi import APIRouter

from earful.server.models import Model
from earful.server.state import State


def routes(state: State) -> APIRouter:
    """The routes of the list and of one model."""
    router = APIRouter(prefix="/v1/models", tags=["models"])

    @router.get("")
    def models() -> dict[str, Any]:
        """All models, those from the command line first."""
        return {"object": "list", "data": [row(model) for model in state.models.all()]}

    @router.get("/{name}")
    def model(name: str) -> dict[str, Any]:
        """One model."""
        return row(state.models.find(name))

    return router


def row(model: Model) -> dict[str, Any]:
    """A model as in OpenAI's API; in addition whether it is a base, and its letters."""
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": "earful",
        "base": model.base,
        "language": str(model.card["config"].get("rules", {}).get("language", "")),
        "letters": model.letters,
    }
