"""Configuration: what comes in is what is built, and what is wrong is named."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from earful.config import from_mapping, read_toml, to_mapping
from earful.errors import ConfigError
from earful.features.fbank import FbankConfig
from earful.features.mfcc import MfccConfig
from earful.model import ModelConfig
from earful.text.alphabet import Alphabet


@dataclass(frozen=True)
class Inner:
    width: int = 3
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Outer:
    name: str
    rate: float = 0.1
    inner: Inner = field(default_factory=Inner)
    rows: tuple[Inner, ...] = ()
    pair: tuple[float, float] = (0.0, 1.0)
    folder: Path | None = None

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise ConfigError("rate is below 0")


def test_toml_becomes_nested_dataclasses(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('name = "x"\nrate = 2\nfolder = "out"\npair = [1, 2]\n[inner]\nwidth = 5\n[[rows]]\nkind = "b"\n')
    assert read_toml(Outer, path) == Outer("x", 2.0, Inner(5), (Inner(kind="b"),), (1.0, 2.0), Path("out"))


def test_round_trip() -> None:
    value = Outer("é", 0.5, Inner(4, "b"), (Inner(1), Inner(2)), (1.0, 2.0))
    assert from_mapping(Outer, to_mapping(value), "here") == value


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"name": "x", "rat": 1}, "here: unknown key 'rat'; did you mean 'rate'?"),
        ({"name": "x", "zzz": 1}, "the known keys are"),
        ({}, "the key 'name' is missing"),
        ({"name": 3}, "here: name: expected a text in quotes, got 3"),
        ({"name": "x", "inner": {"width": "wide"}}, "here: inner: width: expected a whole number"),
        ({"name": "x", "inner": {"width": True}}, "expected a whole number"),
        ({"name": "x", "inner": {"kind": "c"}}, "expected one of 'a', 'b'"),
        ({"name": "x", "rows": {}}, "expected a list"),
        ({"name": "x", "pair": [1]}, "expected 2 values, got 1"),
        ({"name": "x", "rate": -1}, "here: rate is below 0"),
    ],
)
def test_what_is_wrong_is_named(mapping: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        from_mapping(Outer, mapping, "here")
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["name = ", "name = 'x'\nname = 'y'"])
def test_bad_toml_names_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.toml"):
        read_toml(Outer, path)
    with pytest.raises(ConfigError, match="no such recipe"):
        read_toml(Outer, tmp_path / "missing.toml")


def test_a_mapping_of_names() -> None:
    @dataclass(frozen=True)
    class Named:
        rates: Mapping[str, float]

    assert from_mapping(Named, {"rates": {"a": 1, "b": 0.5}}, "here") == Named({"a": 1.0, "b": 0.5})
    with pytest.raises(ConfigError, match=r"here: rates\.a: expected a number"):
        from_mapping(Named, {"rates": {"a": "fast"}}, "here")


def test_a_value_that_refuses_is_placed() -> None:
    with pytest.raises(ConfigError, match=r"here: alphabet: 'a' .* comes twice"):
        from_mapping(Alphabet, {"symbols": ["a", "a"]}, "here")


def test_a_wrong_key_is_of_the_kind_that_the_table_names() -> None:
    wrong = {"alphabet": {"symbols": ["a"]}, "features": {"kind": "whisper", "widht": 384}}
    with pytest.raises(ConfigError, match=r"features: unknown key 'widht'; did you mean 'width'"):
        from_mapping(ModelConfig, wrong, "model.json")


def test_a_table_without_a_kind_is_the_one_that_has_none() -> None:
    """And an unknown kind names those that there are."""
    plain = {"alphabet": {"symbols": ["a"]}}
    assert from_mapping(ModelConfig, {**plain, "features": {}}, "m").features == FbankConfig()
    cepstra = {"features": {"kind": "mfcc", "ceps": 20}, "encoder": {"bins": 20}}
    assert from_mapping(ModelConfig, {**plain, **cepstra}, "m").features == MfccConfig(ceps=20)
    with pytest.raises(
        ConfigError, match=r"m: features: kind: expected one of 'whisper', .*'mfcc', or none, got .fbank."
    ):
        from_mapping(ModelConfig, {**plain, "features": {"kind": "fbank"}}, "m")


def test_what_is_given_and_not_used_is_told_of_a_file(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Choosy:
        fast: bool = False
        rate: float = 1.0

        def unused(self, given: Mapping[str, object]) -> str | None:
            return "rate is given, and not used" if "rate" in given and not self.fast else None

    (tmp_path / "r.toml").write_text("rate = 1.0", "utf-8")
    with pytest.raises(ConfigError, match=r"r\.toml: rate is given, and not used"):
        read_toml(Choosy, tmp_path / "r.toml")
    (tmp_path / "r.toml").write_text("rate = 2.0\nfast = true", "utf-8")
    assert read_toml(Choosy, tmp_path / "r.toml") == Choosy(fast=True, rate=2.0)
    assert from_mapping(Choosy, {"rate": 1.0, "fast": False}, "what was saved") == Choosy()
