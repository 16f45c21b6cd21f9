"""The flat public list: every name is there, comes from its home, and costs nothing before it is used."""

import subprocess
import sys

import pytest

import earful


@pytest.mark.parametrize("name", earful.__all__)
def test_every_public_name_resolves(name: str) -> None:
    value = getattr(earful, name)
    assert value.__name__ == name and value.__module__.startswith("earful.")


def test_the_list_and_the_homes_agree() -> None:
    assert sorted(earful._HOMES) == sorted(earful.__all__) and set(earful.__all__) <= set(dir(earful))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = earful.nothing


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, earful; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
