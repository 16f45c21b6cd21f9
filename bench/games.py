"""The two parts of a corpus that `recipes.corpora fillets-ng` wrote: every sixth level of the game is for tests."""

from pathlib import Path

from earful.data.manifest import Manifest, read_manifest


def train_and_test(corpus: Path) -> tuple[Manifest, Manifest]:
    """What is learned from and what measures, of the folder of a corpus."""
    return read_manifest(corpus / "train.jsonl"), read_manifest(corpus / "test.jsonl")
