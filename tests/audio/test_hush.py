"""Decoders are kept from the screen, others are not."""

import os
import threading

import pytest

from earful.audio.hush import hushed


def test_decoders_are_hushed_and_others_heard(capfd: pytest.CaptureFixture[str]) -> None:
    with hushed():
        os.write(2, b"Note: Illegal Audio-MPEG-Header 0x6e6b6a75 at offset 7740.\nearful: warning: mine\n")
        os.write(2, b"[src/libmpg123/layer3.c:INT123_do_layer3():1804] error: dequantization failed!\n")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "earful: warning: mine\n"
    os.write(2, b"Note: after\n")
    assert capfd.readouterr().err == "Note: after\n"


def test_the_last_thread_that_leaves_opens(capfd: pytest.CaptureFixture[str]) -> None:
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with hushed():
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=stay)
    thread.start()
    inside.wait(5)
    with hushed():
        pass
    os.write(2, b"Note: Trying to resync...\n")
    leave.set()
    thread.join()
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"


def test_no_open_file_is_removed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("as Windows does, where a file is open")

    for name in ("unlink", "remove"):
        monkeypatch.setattr(os, name, refuse)
    with hushed():
        os.write(2, b"Note: quiet\nheard\n")
    assert capfd.readouterr().err == "heard\n"
