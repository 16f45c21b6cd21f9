"""The served models: the shipped bases, given folders, and models made here; loaded on request."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from earful.errors import CheckpointError
from earful.folders import CARD, locate, read_card, shipped_bases
from earful.runner import Runner, can_run
from earful.server.problems import Problem
from earful.server.settings import Settings
from earful.transcriber import Transcriber


@dataclass(frozen=True)
class Model:
    """A model: its name in the list and its folder. A `base` is not adapted to one language."""

    name: str
    folder: Path
    base: bool

    @cached_property
    def card(self) -> Mapping[str, Any]:
        """The content of its card."""
        return read_card(self.folder / CARD)

    @property
    def created(self) -> int:
        """The time of its creation, in Unix seconds."""
        return int((self.folder / CARD).stat().st_mtime)

    @property
    def letters(self) -> list[str]:
        """The letters that it writes."""
        return [symbol for symbol in self.card["config"]["alphabet"]["symbols"] if not symbol.isspace()]


class Models:
    """The list of models; the `loaded` last used ones are in memory."""

    def __init__(self, settings: Settings) -> None:
        self._made, self._most = settings.made, settings.loaded
        self.given = _given(settings.models)
        self._loaded: OrderedDict[tuple[str, int], Transcriber] = OrderedDict()
        self._lock, self._loading = Lock(), dict[str, Lock]()

    def all(self) -> list[Model]:
        """All models, those from the command line first."""
        return list(self._each())

    def __contains__(self, name: object) -> bool:
        return any(model.name == name for model in self._each())

    def find(self, name: str) -> Model:
        """The model of this name. Raises Problem (404) in the form of OpenAI's API."""
        for model in self._each():
            if model.name == name:
                return model
        known = ", ".join(model.name for model in self._each())
        message = f"The model `{name[:100]}` does not exist; this server has {known}"
        raise Problem(404, message, param="model", code="model_not_found")

    def transcriber(self, name: str, hot: Mapping[str, float] | None = None) -> Transcriber:
        """The transcriber of a model, safe for many threads; `hot` words are made more likely.

        Raises Problem (404); CheckpointError: damaged; TextError: a hot word has letters that the model does not write.
        """
        model = self.find(name)
        key = (name, (model.folder / CARD).stat().st_mtime_ns)
        with self._lock:
            loading = self._loading.setdefault(name, Lock())
        with loading:
            with self._lock:
                if key in self._loaded:
                    self._loaded.move_to_end(key)
                found = self._loaded.get(key)
            if found is None:
                found = _load(model.folder)
                self._keep(key, found)
        return found.listening_for(hot) if hot else found

    def reserve(self, wanted: str) -> Path:
        """Reserve an empty folder for a new model, with this name or with a number added."""
        taken, number, name = {model.name for model in self._each()}, 1, wanted
        while True:
            try:
                if name not in taken:
                    (self._made / name).mkdir()
                    return self._made / name
            except FileExistsError:
                pass
            number += 1
            name = f"{wanted}-{number}"

    def _keep(self, key: tuple[str, int], found: Transcriber) -> None:
        with self._lock:
            for older in [each for each in self._loaded if each[0] == key[0]]:
                del self._loaded[older]
            self._loaded[key] = found
            while len(self._loaded) > self._most:
                self._loaded.popitem(last=False)

    def _each(self) -> Iterator[Model]:
        yield from self.given
        taken = {model.name for model in self.given}
        made = sorted(self._made.iterdir()) if self._made.is_dir() else []
        for folder in made:
            if (folder / CARD).is_file() and not folder.name.startswith(".") and folder.name not in taken:
                yield Model(folder.name, folder, base=False)
        for name in shipped_bases():
            if name not in taken:
                yield Model(name, locate(name), base=True)


def _given(folders: Sequence[Path]) -> tuple[Model, ...]:
    """The models in the given folders. Raises CheckpointError: not a model, or two of one name."""
    found: dict[str, Model] = {}
    for given in folders:
        folder = locate(given).resolve()
        card = read_card(folder / CARD)
        if folder.name in found:
            raise CheckpointError(f"{given}: another model is called {folder.name}, too; rename one of the folders")
        found[folder.name] = Model(folder.name, folder, base="adapted" not in card.get("about", {}))
    return tuple(found.values())


def _load(folder: Path) -> Transcriber:
    """A runner with one thread, since many transcriptions run at once; a recogniser if no runner supports the model."""
    if can_run(folder):
        return Runner.load(folder, threads=1)
    from earful.recognizer import Recognizer

    return Recognizer.load(folder)
