"""The target `web`: a folder with a page that recognises in the browser, without other servers.

The page is built from `web/` into `web_page`. The export adds the model, for one window, and its language model. Large
files are packed; the page unpacks them.
"""

import gzip
import json
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

from earful.ctc.beam import WIDTH
from earful.errors import ExportError
from earful.export.onnx_file import README
from earful.export.place import write_json, write_text
from earful.export.source import WINDOWING, Source, version
from earful.folders import NGRAM, WORDS
from earful.runtime.build import window_model
from earful.runtime.graph import Kind

PAGE, BUILT, RUNTIME = "index.html", "built.json", "runtime.wasm.gz"
MODEL, SETTINGS = "model.onnx.gz", "recogniser.json"
_LEVEL = 9


def write(source: Source, folder: Path, kind: Kind) -> None:
    """Write the page, the model, its language model, and a README. Raises ExportError: the page is missing."""
    for path in sorted(page_folder().iterdir()):
        if path.is_file() and path.name != BUILT:
            shutil.copyfile(path, folder / path.name)
    made, _ = window_model(source.config, source.weights, WINDOWING, kind=kind, fused=False, apart=False)
    _write_packed(folder / MODEL, made.SerializeToString())
    told = settings(source, kind)
    for name, known in ((NGRAM, told["ngram"]), (WORDS, told["words"])):
        if known:
            _write_packed(folder / f"{name}.gz", (source.folder / name).read_bytes())
    sizes = {path.name: path.stat().st_size for path in sorted(folder.glob("*.gz"))}
    write_json(folder / SETTINGS, {**told, "bytes": sizes})
    write_text(folder / README, _readme(source, kind))


def page_folder() -> Path:
    """The folder of the built page. Raises ExportError: it is missing."""
    folder = Path(str(resources.files("earful"))) / "export" / "web_page"
    if not (folder / BUILT).is_file():
        raise ExportError(f"{folder}: the page is missing; install earful again, or build it: make web")
    return folder


def settings(source: Source, kind: Kind) -> dict[str, Any]:
    """The page's settings of the model."""
    writing, language = source.writing, source.writing.language
    return {
        "earful": version(),
        "name": Path(source.name).resolve().name,
        "language": writing.rules.language,
        "symbols": list(writing.alphabet.symbols),
        "hop_s": writing.hop_s,
        "searched": language is not None,
        "ngram": bool(language and language.weight),
        "words": bool(language and language.weight and language.words),
        "weight": language.weight if language else 0.0,
        "bonus": language.bonus if language else 0.0,
        "width": WIDTH,
        "arithmetic": kind,
    }


def page_built() -> dict[str, Any]:
    """The sources of the page: digests of sources and files, and its packages."""
    found: dict[str, Any] = json.loads((page_folder() / BUILT).read_text("utf-8"))
    return found


def _write_packed(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content, _LEVEL, mtime=0))


def _readme(source: Source, kind: Kind) -> str:
    language = "and its language model are" if source.writing.language else "is"
    return f"""# A page that recognises speech

Exported by earful {version()} from `{Path(source.name).name}`, {kind}. The recogniser {language} in this folder;
the page fetches nothing from elsewhere, and sends nothing.

```sh
python3 -m http.server 8000 --bind 127.0.0.1 --directory .
```

and open http://127.0.0.1:8000/ in a browser of 2023 or newer. Put on a web server it works for everybody; browsers
give the microphone to pages of https:// and of one's own machine alone.
The server has to send `.js` files as JavaScript.

`{MODEL}` hears one window, {WINDOWING.longest_s:g} s at most; `LICENCES.txt` says whose work is in the page.
{source.licences}
"""
