"""What must not depend on the number of threads: that the encoder comes to an end."""

import subprocess
import sys

CODE = """
import torch
from earful.encoder.build import build_encoder
from earful.encoder.encoder import EncoderConfig
from earful.model import fast_arithmetic
for threads in (2, 3, 1):
    torch.set_num_threads(threads)
    encoder = build_encoder(EncoderConfig("conformer", width=144, layers=1))
    with torch.no_grad(), fast_arithmetic():
        for batch, frames in ((1, 800), (7, 1600), (1, 256), (2, 801)):
            encoder(torch.randn(batch, frames, 80), torch.full((batch,), frames))
    print(threads)
"""


def test_the_conformer_ends_for_every_number_of_threads() -> None:
    # In the channels-last layout oneDNN generated code for the first of these shapes without end, on two threads.
    run = subprocess.run([sys.executable, "-c", CODE], timeout=240, check=False, stdout=subprocess.PIPE)
    assert run.returncode == 0 and run.stdout.split() == [b"2", b"3", b"1"]
