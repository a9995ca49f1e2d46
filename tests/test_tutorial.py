"""The tutorial, done in a clone as it is printed."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TUTORIAL = ROOT / "docs/tutorial"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
SERVE = "uv run glasswork serve\n"
MOST_COMMANDS = 10

pytestmark = [pytest.mark.base, pytest.mark.timeout(1800)]


class Reader:
    """Somebody who types what a page says, in a clone of their own."""

    def __init__(self, folder: Path, data_dir: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        ours = ("VIRTUAL_ENV", "PYTHONPATH", "COV_", "PYTEST_", "GLASSWORK_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.environment = clean | {"DATA_DIR": str(data_dir)}
        self.login: dict[str, str] = {}

    def read(self, page: str) -> list[tuple[str, str, str]]:
        """The blocks of a page: their language, the file that they belong to, and their text."""
        text = (TUTORIAL / page).read_text()
        return [(match[1], match[2] or "", match[3]) for match in BLOCK.finditer(text)]

    def type(self, commands: str) -> str:
        for word, value in self.login.items():
            commands = commands.replace(word, value)
        here = commands.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", here],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, f"{commands}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def write(self, language: str, path: str, text: str) -> None:
        file = self.folder / path
        if language == "diff":
            context, *added = [line[1:] for line in text.splitlines(keepends=True)]
            before = file.read_text()
            assert before.count(context) == 1, text
            file.write_text(before.replace(context, "".join([context, *added])))
        else:
            file.write_text(text)

    @contextmanager
    def serving(self) -> Iterator[None]:
        command = [*SERVE.split(), "--port", str(self.port)]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stderr=subprocess.PIPE, text=True
        ) as served:
            assert served.stderr
            try:
                assert any("is up" in line for line in served.stderr)
                yield
            finally:
                served.send_signal(signal.SIGINT)
                served.communicate(timeout=60)

    def remember(self, demo: str) -> None:
        words = dict(line.split(maxsplit=1) for line in demo.splitlines())
        self.login = {"NAME": words["Username"], "PASSWORD": words["Password"]}


@pytest.fixture
def reader(tmp_path: Path, data_dir: Path) -> Reader:
    folder = tmp_path / "glasswork"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    return Reader(folder, data_dir)


def test_hello_calculator_echo(reader: Reader) -> None:
    blocks = reader.read("hello.md")
    asked = [text for language, _, text in blocks if language == "sh" and text.startswith("curl")]
    for language, path, text in blocks:
        if path:
            reader.write(language, path, text)
        elif text not in asked:
            reader.type(text)
    with reader.serving():
        [hello, divided] = [reader.type(command) for command in asked[0].splitlines()]
    assert hello == '{"message":"Ahoy, Ada!"}'
    assert "DIVISION_BY_ZERO" in divided


def test_a_slice_in_ten_commands(reader: Reader) -> None:
    blocks = [text for language, _, text in reader.read("slice.md") if language == "sh"]
    assert sum(len(block.splitlines()) for block in blocks) <= MOST_COMMANDS
    clone, *before = blocks[: blocks.index(SERVE)]
    demo, calls = blocks[blocks.index(SERVE) + 1 :]
    reader.type(clone.partition("\n")[2])
    said = [reader.type(block) for block in before]
    assert " passed" in said[-1]
    with reader.serving():
        reader.remember(reader.type(demo))
        answer = reader.type(calls)
    assert answer.startswith("HTTP/1.1 201")
    assert '"amount":"99.90"' in answer


def test_a_chat(reader: Reader) -> None:
    blocks = reader.read("chat.md")
    for language, path, text in blocks:
        if path:
            reader.write(language, path, text)
    commands = [text for language, path, text in blocks if language == "sh" and not path]
    reader.type(commands[0])
    with reader.serving():
        reader.remember(reader.type(commands[2]))
        with talking(reader, commands[3]) as ada, talking(reader, commands[3]) as charles:
            say(ada, "Good morning")
            heard = [charles.stdout.readline(), ada.stdout.readline()]  # type: ignore[union-attr]
    assert [line.partition(": ")[2] for line in heard] == ["Good morning\n"] * 2


@contextmanager
def talking(reader: Reader, command: str) -> Iterator[subprocess.Popen[str]]:
    name, password = reader.login["NAME"], reader.login["PASSWORD"]
    words = command.replace("NAME", name).replace("PASSWORD", password).split()
    with subprocess.Popen(
        [*words, f"http://127.0.0.1:{reader.port}"],
        cwd=reader.folder,
        env=reader.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as talker:
        assert talker.stdout
        assert talker.stdout.readline().startswith("You are in.")
        yield talker
        talker.communicate(timeout=30)


def say(talker: subprocess.Popen[str], words: str) -> None:
    assert talker.stdin
    talker.stdin.write(f"{words}\n")
    talker.stdin.flush()
