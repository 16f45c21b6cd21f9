"""Fish Fillets – Next Generation: the game's acted dialogue in Czech and Dutch, about 100 minutes each.

The recordings and the transcripts are in the Debian packages `fillets-ng-data` (scripts) and `fillets-ng-data-cs`,
`fillets-ng-data-nl` (sound), under the GPL-2. A folder of sound belongs to the level, or to the level's parent in
`share/`, whose scripts lie in `script/<level>/`; a clip's name is the dialogue's id.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from recipes.corpora.debian import unpacked
from recipes.corpora.errors import CorpusError
from recipes.corpora.lua import Dialog, read_dialogs
from recipes.corpora.recordings import DUPLICATE, TWO_TRANSCRIPTS, Draft, LeftOut, Progress, gather

LANGUAGES = ("cs", "nl")
TEST_LEVEL = 5  # of every six levels, sorted by name and counted from 0

NO_TRANSCRIPT = "no transcript in the scripts"
NO_CLIP = "transcript without a recording"
NO_WORDS = "transcript without words (a noise, or a number put together by the game)"

_WORD = re.compile(r"\w")


@dataclass(frozen=True)
class _Recording:
    """One clip of the corpus: `level` is the path of its folder of sound, such as airplane or share/border."""

    level: str
    name: str
    path: Path

    @property
    def script(self) -> str:
        """The folder of scripts that holds the transcript."""
        return self.level.split("/")[0]


def fillets(
    language: str,
    out: str | Path,
    *,
    source: str | Path | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[Manifest, LeftOut]:
    """Build OUT/manifest.jsonl and OUT/audio/<level>/<id>.ogg from the game's recordings in "cs" or "nl".

    The packages come from `source` (a folder that holds them, packed or unpacked), else from the folder `cache`, into
    which those that are missing are downloaded (about 105 MB a language; default: the user's cache). Speakers are named
    after the font of the subtitle (`cs-small`); `extra` holds the `level`. `LeftOut` lists the ids by reason.
    `progress(done, total)` is called after each clip. The manifest is written last.

    Raises CorpusError for another language, a folder without the game, a download that fails.

    >>> manifest, left_out = fillets("nl", "dutch")  # doctest: +SKIP
    """
    if language not in LANGUAGES:
        raise CorpusError(f"the language is {language!r}, must be one of {', '.join(LANGUAGES)}")
    out = Path(out)
    with unpacked(_packages(language), source, cache) as game:
        recordings = _recordings(game, language)
        dialogs = _dialogs(game, language)
        if not recordings or not dialogs:
            raise CorpusError(
                f"{source or game}: expected sound/*/{language}/*.ogg and script/*/dialogs_{language}.lua of "
                f"fillets-ng, found {len(recordings)} clips and {len(dialogs)} dialogues; name the folder that holds "
                f"the packages {' and '.join(_packages(language))}"
            )
        texts, left_out = _choose(language, recordings, dialogs)
        manifest = gather(out, [_draft(language, out, *chosen) for chosen in texts], left_out, progress)
    return manifest, {reason: tuple(ids) for reason, ids in left_out.items()}


def split_levels(manifest: Manifest) -> tuple[Manifest, Manifest]:
    """Split into train and test: of the levels sorted by name, every sixth (5, 11, 17, … counted from 0) is for tests.

    The levels are those that occur in the manifest; each folder of share/ is one.
    Raises CorpusError if an utterance has none.
    """
    without = [utterance.id for utterance in manifest if "level" not in utterance.extra]
    if without:
        raise CorpusError(f"clip {without[0]!r} has no level; only a manifest of `recipes.corpora fillets-ng` has them")
    levels = sorted({str(utterance.extra["level"]) for utterance in manifest})
    test = {level for place, level in enumerate(levels) if place % 6 == TEST_LEVEL}
    train = manifest.filter(lambda utterance: utterance.extra["level"] not in test)
    return train, manifest.filter(lambda utterance: utterance.extra["level"] in test)


def _packages(language: str) -> tuple[str, str]:
    return "fillets-ng-data", f"fillets-ng-data-{language}"


def _recordings(game: Path, language: str) -> list[_Recording]:
    """All clips in the language, sorted by level and name; the first of equal ones where the game lies twice."""
    found: dict[tuple[str, str], _Recording] = {}
    for path in sorted(game.rglob(f"{language}/*.ogg")):
        folders = path.relative_to(game).parts[:-2]
        if "sound" in folders:
            last = len(folders) - 1 - folders[::-1].index("sound")
            level = "/".join(folders[last + 1 :])
            found.setdefault((level, path.stem), _Recording(level, path.stem, path))
    return [found[key] for key in sorted(found) if key[0]]


def _dialogs(game: Path, language: str) -> dict[tuple[str, str], list[Dialog]]:
    """The dialogues in the language, by folder of scripts and id; demos have files of their own beside the level's."""
    found: dict[tuple[str, str], list[Dialog]] = {}
    for path in sorted(game.rglob(f"*dialogs_{language}.lua")):
        if path.parent.parent.name == "script":
            for dialog in read_dialogs(path):
                found.setdefault((path.parent.name, dialog.id), []).append(dialog)
    return found


def _choose(
    language: str, recordings: Iterable[_Recording], dialogs: dict[tuple[str, str], list[Dialog]]
) -> tuple[list[tuple[_Recording, Dialog]], dict[str, list[str]]]:
    """Give each clip its dialogue; list by reason what has to be left out."""
    chosen: list[tuple[_Recording, Dialog]] = []
    left_out: dict[str, list[str]] = {}
    spoken, sounds = set(), set()
    for recording in recordings:
        key = (recording.script, recording.name)
        spoken.add(key)
        reason = _objection(dialogs.get(key, []))
        sound = recording.path.read_bytes()
        if reason is None and sound in sounds:
            reason = DUPLICATE
        if reason is None:
            sounds.add(sound)
            chosen.append((recording, dialogs[key][0]))
        else:
            left_out.setdefault(reason, []).append(_id(language, recording.level, recording.name))
    silent = [_id(language, *key) for key, found in dialogs.items() if key not in spoken and _texts(found)]
    return chosen, left_out | ({NO_CLIP: silent} if silent else {})


def _objection(dialogs: list[Dialog]) -> str | None:
    """Why a clip with these dialogues cannot be used."""
    texts = _texts(dialogs)
    if not any(dialog.text is not None for dialog in dialogs):
        return NO_TRANSCRIPT
    if len(texts) > 1:
        return TWO_TRANSCRIPTS
    return None if texts and _WORD.search(next(iter(texts))) else NO_WORDS


def _texts(dialogs: Iterable[Dialog]) -> set[str]:
    return {_clean(dialog.text) for dialog in dialogs if dialog.text}


def _draft(language: str, out: Path, recording: _Recording, dialog: Dialog) -> Draft:
    speaker = dialog.font.removeprefix("font_")
    return recording.path, Utterance(
        id=_id(language, recording.level, recording.name),
        audio=out / "audio" / recording.level / recording.path.name,
        text=_clean(dialog.text or ""),
        language=language,
        speaker=f"{language}-{speaker}" if speaker else None,
        extra={"level": recording.level},
    )


def _id(language: str, level: str, name: str) -> str:
    return f"{language}/{level}/{name}"


def _clean(text: str) -> str:
    """NFC, and single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())
