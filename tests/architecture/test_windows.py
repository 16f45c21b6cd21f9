"""What Windows lacks is not wanted by merely importing: every module is loaded in a process that lacks it, too."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WITHOUT = """
import importlib, os, pathlib, signal, sys
import torch, numba, numpy, safetensors, soundfile, lxml.etree, filelock, rich, typer
names = [".".join(path.relative_to(sys.argv[1]).with_suffix("").parts) for path in
         sorted(pathlib.Path(sys.argv[1], "earful").rglob("*.py"))]
names = [name.removesuffix(".__init__") for name in names if not name.endswith(".__main__")]
for extra in ("optuna", "sounddevice", "wyoming", "fastapi", "starlette", "pydantic", "uvicorn", "playwright", "onnx",
              "matplotlib", "pyarrow", "onnxruntime", "tensorboardX", "huggingface_hub", "av", "praatio", "websockets"):
    try:
        importlib.import_module(extra)
    except (ImportError, OSError):  # the library below it is not there
        pass
for name in ("fork", "register_at_fork", "killpg", "nice", "sched_getaffinity", "getuid", "geteuid", "statvfs",
             "mkfifo", "getpgid", "setsid", "O_NONBLOCK"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1"):
    delattr(signal, name)
for name in ("fcntl", "resource", "termios", "pwd", "grp"):
    sys.modules[name] = None
for name in names:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name in ("fcntl", "resource", "termios", "pwd", "grp") or (error.name or "").startswith("earful"):
            raise SystemExit(f"{name}: {error}")
    except Exception as error:
        raise SystemExit(f"{name}: {type(error).__name__}: {error}")
print(len(names))
"""


def test_every_module_loads_without_what_windows_lacks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(ROOT / "src")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 250
