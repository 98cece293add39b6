"""The logs of server and worker: rotated while they are written, shown, followed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blueprint import limits, logs, rotating
from blueprint.limits import Limits

LINES = 10_000
# It writes as a worker does: itself, and through a child that has inherited its output. A line is
# written at once, as a logger does it.
CHILD = f"""
import os, subprocess, sys
write = "import os\\nfor n in range({LINES}): os.write(1, b'%s %06d ' % (who, n) + b'x' * 60 + b'\\\\n')"
child = subprocess.Popen([sys.executable, "-c", "who = b'child'; " + write])
exec("who = b'parent'; " + write)
child.wait()
"""


class Rotating:
    """A log of so many bytes and files, and what is written into it."""

    def __init__(self, path: Path, size: int, count: int) -> None:
        self.path, self._count = path, count
        program = [sys.executable, "-I", "-S", rotating.__file__, str(path), str(size), str(count)]
        self.process = subprocess.Popen(program, stdin=subprocess.PIPE)

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(timeout=20) == 0

    def files(self) -> list[bytes]:
        """What the files hold, the oldest first."""
        paths = [rotating.rotated(self.path, number) for number in range(self._count + 2)]
        return [path.read_bytes() for path in reversed(paths) if path.exists()]


def test_no_line_is_lost_or_cut_while_a_process_and_its_child_write(tmp_path: Path) -> None:
    log = Rotating(tmp_path / "worker.log", 100_000, 100)
    subprocess.run([sys.executable, "-c", CHILD], stdout=log.process.stdin, check=True)
    log.end()
    files = log.files()
    assert len(files) > 10
    assert all(file.endswith(b"\n") and len(file) < 101_000 for file in files)
    lines = b"".join(files).decode().splitlines()
    for who in ("parent", "child"):
        numbers = [int(line.split()[1]) for line in lines if line.startswith(who)]
        assert numbers == list(range(LINES))


def test_no_more_files_are_kept_than_the_limit_says(tmp_path: Path) -> None:
    rotating.rotated(tmp_path / "log", 7).write_text("from when there were more")
    log = Rotating(tmp_path / "log", 100_000, 3)
    log.write(b"".join(b"%06d\n" % n for n in range(100_000)))
    log.end()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["log", "log.1", "log.2"]
    assert log.files()[-1].endswith(b"099999\n")


def test_a_progress_bar_without_a_line_end_cannot_fill_the_disk(tmp_path: Path) -> None:
    log = Rotating(tmp_path / "log", 10_000, 2)
    for _ in range(100):
        log.write(b"loading\r" * 1000)
    log.end()
    assert sum(map(len, log.files())) < 200_000


@pytest.mark.skipif(sys.platform == "win32", reason="nobody can remove a file that is open")
def test_a_log_that_somebody_removed_is_begun_anew(tmp_path: Path) -> None:
    log = Rotating(tmp_path / "log", 10_000, 2)
    log.write(b"one\n")
    wait_for(lambda: log.files() == [b"one\n"])
    log.path.unlink()
    log.write(b"two\n")
    log.end()
    assert log.files() == [b"two\n"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "read", lambda: Limits(log_files=3))


@pytest.mark.usefixtures("small")
def test_the_last_lines_are_taken_from_older_files_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    rotating.rotated(log, 2).write_text("a\nb\n")
    rotating.rotated(log, 1).write_text("c\nd\n")
    log.write_text("e\nf\n")
    assert logs.last(log, 1) == ["f"]
    assert logs.last(log, 5) == ["b", "c", "d", "e", "f"]
    assert logs.last(log, 50) == ["a", "b", "c", "d", "e", "f"]
    assert logs.last(log, 0) == []
    assert logs.last(tmp_path / "none", 5) == []


@pytest.mark.usefixtures("small")
def test_following_misses_no_line_when_the_log_is_rotated(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")

    def steps() -> Iterator[bool]:
        yield False
        with log.open("a") as file:
            file.write("one\ntw")
        yield False
        with log.open("a") as file:
            file.write("o\n")
        log.rename(rotating.rotated(log, 1))
        log.write_text("three\n")
        yield False
        rotating.rotated(log, 1).rename(rotating.rotated(log, 2))
        log.rename(rotating.rotated(log, 1))
        log.write_text("four\n")
        while True:
            yield True

    going = steps()
    found = list(logs.follow({"worker": log}, lambda: next(going)))
    assert found == [("worker", line) for line in ("one", "two", "three", "four")]


def wait_for(condition: object) -> None:
    assert callable(condition)
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "did not come true in 20 s"
        time.sleep(0.02)


def test_this_process_can_write_into_a_rotating_log(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from blueprint import logs\n"
        "logs.write_to(Path(sys.argv[1])); print('out', flush=True); print('err', file=sys.stderr)"
    )
    log = tmp_path / "server.log"
    subprocess.run([sys.executable, "-c", code, str(log)], check=True, env=dict(os.environ))
    wait_for(lambda: log.exists() and log.read_text().splitlines() == ["out", "err"])
