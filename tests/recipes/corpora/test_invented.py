"""Invented languages: the same for the same seed, said by real voices but never by Czech ones, and written by rules."""

import json
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from earful.audio.files import read
from earful.data.manifest import read_manifest
from earful.data.synthesis.languages import find_language, languages
from earful.errors import SynthesisError
from earful.text.normalize import normalize
from earful.text.score import score
from recipes.corpora.invented import corpus as room
from recipes.corpora.invented.corpus import InventedLanguage, code_of, hosts_of, invent_corpus, invent_language
from recipes.corpora.invented.draws import some, weighted
from recipes.corpora.invented.orthography import SCRIPTS, Orthography, Silent, Spelling, random_orthography, spell
from recipes.corpora.invented.phonemes import HELD_OUT, HOSTS, VOWEL, Sound, host_sounds, known_sounds, lineage, tables
from recipes.corpora.invented.phonology import CONSONANTS, LEXICON, VOWELS, Word

COUNT, CLIPS = 3, 7
SOUNDS = {
    ipa: Sound(ipa, ipa, kind, True, True)
    for ipa, kind in {"a": VOWEL, "i": VOWEL, "k": "stop", "s": "fricative", "n": "nasal", "l": "liquid"}.items()
}


@pytest.fixture(scope="module")
def sounds() -> dict[str, tuple[Sound, ...]]:
    return known_sounds(set(hosts_of(6, seed=5).values()), 2)


@pytest.fixture(scope="module")
def tongues(sounds: dict[str, tuple[Sound, ...]]) -> list[InventedLanguage]:
    hosts = hosts_of(6, seed=5)
    return [invent_language(5, index, host, sounds[host]) for index, host in hosts.items()]


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("invented") / "four"
    invent_corpus(COUNT, out, clips=CLIPS, seed=5, workers=2)
    return out


def sounds_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.flac"))}


def described(folder: Path) -> dict[str, dict[str, Any]]:
    lines = (folder / "languages.jsonl").read_text("utf-8").splitlines()
    return {row["language"]: row for row in map(json.loads, lines)}


def word(ipas: str, stressed: int = 1) -> Word:
    return Word(tuple(SOUNDS[ipa] for ipa in ipas), stressed)


def test_no_host_is_czech_or_slovak_or_built_on_them() -> None:
    assert not set(HELD_OUT) & set(HOSTS)
    for host in HOSTS:
        assert not set(HELD_OUT) & set(lineage(find_language(host).phonemes)), host
    assert {"cs", "hr", "sk"} <= {t for t in tables() if set(HELD_OUT) & set(lineage(t))}
    for held_out in ("cs", "sk", "hr"):
        with pytest.raises(SynthesisError, match="which is held out"):
            host_sounds(held_out, lambda job: pytest.fail("it was asked"))


def test_codes_are_private_use_and_nobody_elses() -> None:
    assert code_of(0, 7) == "x-inv-0-0007"
    assert all(1 <= len(part) <= 8 and part.isalnum() for part in code_of(99_999_999, 12_345_678).split("-"))
    assert not any(alias.startswith("x-") for language in languages() for alias in (language.code, *language.aliases))


def test_a_voice_tells_its_sounds() -> None:
    sounds = {sound.ipa: sound for sound in known_sounds(["nl"])["nl"]}
    assert sounds["œy"].kind == VOWEL and sounds["œy"].name == "Wy" and sounds["œy"].own
    assert sounds["ŋ"].kind == "nasal" and sounds["t"].closes
    assert not sounds["d"].closes, "Dutch says t at the end of words"
    assert not any("." in ipa or "^" in ipa for ipa in sounds)


def test_a_voice_that_does_not_answer_is_named() -> None:
    with pytest.raises(SynthesisError, match=r"does not tell its phonemes of nl .*--not-host nl"):
        host_sounds("nl", lambda job: None)


def test_the_same_seed_and_index_are_the_same_language(tongues: list[InventedLanguage]) -> None:
    first = tongues[0]
    invent_language.cache_clear()
    again = invent_language(5, first.index, first.host, known_sounds([first.host])[first.host])
    assert again is not first and again == first and again.words == first.words
    assert len({tongue.phonology for tongue in tongues}) == len({str(t.orthography) for t in tongues}) == len(tongues)
    assert hosts_of(3, seed=6) != hosts_of(3, seed=5) == dict(list(hosts_of(12, seed=5).items())[:3])


def test_leaving_out_a_host_leaves_the_other_languages_as_they_are() -> None:
    hosts = hosts_of(40, seed=5)
    fewer = hosts_of(30, seed=5, not_hosts=[hosts[0]])
    assert len(fewer) == 30 and hosts[0] not in fewer.values()
    assert all(hosts[index] == host for index, host in fewer.items() if index in hosts)


def test_inventories_are_of_a_real_size(tongues: list[InventedLanguage]) -> None:
    for tongue in tongues:
        phonology = tongue.phonology
        ipas = [sound.ipa for sound in phonology.inventory]
        assert len(set(ipas)) == len(ipas)
        assert VOWELS[0] <= len(phonology.vowels.items) <= VOWELS[1]
        assert CONSONANTS[0] <= len(phonology.consonants) <= CONSONANTS[1]
        assert all((sound.kind == VOWEL) == (sound in phonology.vowels.items) for sound in phonology.inventory)


def test_words_are_distinct_zipfian_and_short_where_frequent(tongues: list[InventedLanguage]) -> None:
    for tongue in tongues:
        words = [word for word, _ in tongue.words.items]
        assert len({word.sounds for word in words}) == len(words) <= LEXICON[1]
        sums = tongue.words.sums
        assert sums[0] / (sums[9] - sums[8]) == pytest.approx(12.7 / 3.7)
        lengths = [len(word.sounds) for word in words]
        assert sum(lengths[:50]) < sum(lengths[-50:])
        assert all(word.sounds[word.stressed].kind == VOWEL for word in words)
        ends = {word.sounds[-1] for word in words}
        assert all(sound.closes for sound in ends if sound.kind != VOWEL)


def test_letters_survive_normalisation() -> None:
    letters = [letter for plain, marked in SCRIPTS.values() for letter in plain + marked]
    assert all(normalize(letter) == letter and letter.upper().lower() == letter for letter in letters)
    assert not set("ěřůďťň") & set(letters)
    for plain, marked in SCRIPTS.values():
        assert len(set(plain + marked)) == len(plain + marked)


def test_shallow_is_regular_and_deep_is_not() -> None:
    sounds = tuple(SOUNDS.values())
    drawn = [random_orthography(sounds, torch.Generator().manual_seed(seed)) for seed in range(400)]

    def oddities(orthography: Orthography) -> int:
        spellings = list(orthography.spellings.values())
        shared = len(spellings) - len({spelling.usual for spelling in spellings})
        return shared + sum(bool(spelling.other) for spelling in spellings) + len(orthography.silent)

    shallow = [oddities(o) for o in drawn if o.depth < 0.2]
    deep = [oddities(o) for o in drawn if o.depth > 0.8]
    assert 4 * sum(shallow) / len(shallow) < sum(deep) / len(deep)
    assert {o.script for o in drawn} == set(SCRIPTS)
    assert any(len(spelling.usual) == 2 for o in drawn for spelling in o.spellings.values()), "no digraphs"


def test_rules_of_spelling() -> None:
    spellings = {ipa: Spelling(ipa) for ipa in "ailn"}
    spellings |= {"k": Spelling("c", "qu", "front"), "s": Spelling("s", "z", "last")}
    rules = Orthography("latin", 0.5, tuple("ailncquszeh"), spellings, (Silent("h", "first", True, 1.0),))
    generator = torch.Generator()
    written = [spell(word(ipas), rules, generator) for ipas in ("kas", "kis", "aksi", "ki", "ik")]
    assert written == ["caz", "quiz", "hacsi", "qui", "hic"]


def test_some_words_are_spelled_otherwise() -> None:
    rules = Orthography("latin", 1.0, tuple("abk"), {"a": Spelling("a", "b", "some"), "k": Spelling("k")})
    generator = torch.Generator().manual_seed(0)
    counts = Counter(spell(word("ka"), rules, generator) for _ in range(200))
    assert set(counts) == {"ka", "kb"} and 60 < counts["kb"] < 140


def test_what_is_said_bears_the_stress() -> None:
    assert word("kalis", 3).said == "k|a|l|'i|s"


def test_draws() -> None:
    generator = torch.Generator().manual_seed(0)
    counts = Counter(weighted([("a", 3.0), ("b", 1.0), ("c", 0.0)]).draw(generator) for _ in range(2000))
    assert set(counts) == {"a", "b"} and counts["a"] / counts["b"] == pytest.approx(3, rel=0.2)
    assert sorted(some("abc", 5, generator)) == ["a", "b", "c"]
    assert some("", 2, generator) == some("abc", 0, generator) == ()


def test_a_corpus_is_clips_with_phones_and_a_description(spoken: Path) -> None:
    manifest = read_manifest(spoken / "manifest.jsonl")
    about = described(spoken)
    assert [u.language for u in manifest] == [code_of(5, i) for i in (0, 0, 0, 1, 1, 2, 2)]
    assert len(sounds_in(spoken)) == CLIPS
    for utterance in manifest:
        language = about[utterance.language or ""]
        assert utterance.speaker and utterance.speaker.startswith(f"{language['host']}+")
        assert utterance.text and set(utterance.text) <= {*language["letters"], " ", ",", ".", "?"}
        assert utterance.text == unicodedata.normalize("NFC", utterance.text)
        samples_T = read(utterance.audio)
        assert utterance.duration_s == pytest.approx(len(samples_T) / 16_000) and abs(samples_T).max() > 0.01
        starts = [start_s for _, start_s in utterance.extra["phones"]]
        assert starts == sorted(starts) and starts[-1] < utterance.duration_s


def test_what_is_said_is_what_was_asked_for(spoken: Path) -> None:
    manifest = read_manifest(spoken / "manifest.jsonl")
    about = described(spoken)
    inside = [p in about[u.language or ""]["spellings"] for u in manifest for p, _ in u.extra["phones"] if p]
    assert len(inside) > 100 and sum(inside) / len(inside) > 0.97


def test_the_phones_are_those_of_the_words(spoken: Path, tongues: list[InventedLanguage]) -> None:
    """Nearly: hosts have rules of their own. The text is the spelling of just these words."""
    asked, heard = [], []
    for utterance in read_manifest(spoken / "manifest.jsonl"):
        language = next(tongue for tongue in tongues if tongue.code == utterance.language)
        spelled = {spelling: word.sounds for word, spelling in reversed(language.words.items)}
        words = normalize(utterance.text or "").split()
        asked.append(" ".join(sound.ipa for word in words for sound in spelled[word]))
        heard.append(" ".join(phone for phone, _ in utterance.extra["phones"] if phone))
    assert score(asked, heard).wer < 0.05


def test_an_interrupted_run_goes_on_and_grows(
    spoken: Path, sounds: dict[str, tuple[Sound, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "known_sounds", lambda hosts, *_: {host: sounds[host] for host in hosts})  # asked before

    def stop(done: float, total: float) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        invent_corpus(COUNT, tmp_path, clips=CLIPS, seed=5, workers=1, progress=stop)
    assert not (tmp_path / "manifest.jsonl").exists()
    first = next(tmp_path.rglob("*.flac"))
    stamp = first.stat().st_mtime_ns
    invent_corpus(COUNT, tmp_path, clips=CLIPS, seed=5, workers=2)
    assert first.stat().st_mtime_ns == stamp
    assert sounds_in(tmp_path) == sounds_in(spoken), "the number of workers and the interruption change nothing"
    assert (tmp_path / "manifest.jsonl").read_bytes() == (spoken / "manifest.jsonl").read_bytes()
    more, _ = invent_corpus(COUNT + 1, tmp_path, clips=CLIPS + 2, seed=5, workers=2)
    assert sounds_in(spoken).items() <= sounds_in(tmp_path).items() and len({u.language for u in more}) == COUNT + 1
    with pytest.raises(SynthesisError, match="other settings"):
        invent_corpus(COUNT, tmp_path, clips=CLIPS, seed=5, workers=1, suffix=".wav")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0, "clips": 1}, "count is 0, must be 1 or more"),
        ({"count": 1}, "how much to speak is missing; give hours or clips"),
        ({"count": 1, "clips": 1, "hours": 1.0}, "both hours and clips"),
        ({"count": 1, "clips": 0}, "clips is 0, must be > 0"),
        ({"count": 1, "hours": float("nan")}, "hours is nan"),
        ({"count": 3, "clips": 2}, "clips is 2, must be at least one for each of the 3 languages"),
        ({"count": 1, "clips": 1, "seed": -1}, "seed is -1, must be between 0 and 99999999"),
        ({"count": 1, "clips": 1, "not_hosts": ["cs"]}, "cs: no such host; hosts are af, am"),
        ({"count": 1, "clips": 1, "not_hosts": HOSTS}, "all hosts are left out"),
        ({"count": 1, "clips": 1, "suffix": ".mp3"}, "suffix is '.mp3'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(SynthesisError, match=message):
        invent_corpus(out=tmp_path / "out", workers=1, **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
