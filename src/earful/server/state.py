"""What all routes of a server share."""

from dataclasses import dataclass

from earful.server.events import Events
from earful.server.models import Models
from earful.server.pool import Pool
from earful.server.settings import Settings


@dataclass(frozen=True)
class State:
    """The settings, the models, where transcriptions run, and where news is told."""

    settings: Settings
    models: Models
    pool: Pool
    events: Events


def state_of(settings: Settings) -> State:
    """The state of a server that starts. Raises CheckpointError: a folder that was given is no model."""
    return State(settings, Models(settings), Pool(settings.workers, settings.waiting), Events())
