from typing import Any

import pytest

from glasswork.features.imports.errors import BrokenArchiveError
from glasswork.features.imports.service import key_of, read_github_archive

from .archives import REPO, encode, make_archive, make_comment, make_issue


class TestReadGithubArchive:
    @pytest.mark.parametrize(
        ("content", "place"),
        [
            (b"", "at line 1"),
            (b'{"repo":\n "a/b",\n oops}', "at line 3"),
            (b'{"repo": "\xff"}', "at line 1"),
            (b'{\n"repo": "\\ud800"}', "at line 2"),
            (b"[]", "The file: "),
        ],
    )
    def test_broken_json_names_the_line(self, content: bytes, place: str) -> None:
        with pytest.raises(BrokenArchiveError) as refusal:
            read_github_archive(content)
        assert place in refusal.value.message

    @pytest.mark.parametrize(
        ("fault", "place"),
        [
            ({"issues": [make_issue(1), make_issue(2, title=" ")]}, "issues[1].title: "),
            ({"pulls": [make_issue(1, title="a" * 257)]}, "pulls[0].title: "),
            ({"issues": [make_issue(0)]}, "issues[0].number: "),
            ({"issues": [make_issue(10**100)]}, "issues[0].number: "),
            ({"issues": [make_issue(1, state="DRAFT")]}, "issues[0].state: "),
            ({"issues": [make_issue(1, body="a\0b")]}, "issues[0].body: "),
            ({"issues": [make_issue(1, createdAt="yesterday")]}, "issues[0].createdAt: "),
            ({"issues": [make_issue(1, updatedAt="2020-01-01T00:00:00")]}, "issues[0].updatedAt: "),
            ({"issues": [make_issue(1, labels=["x", ""])]}, "issues[0].labels[1]: "),
            ({"issues": [make_issue(1, comments=[{"body": "a"}])]}, "issues[0].comments[0].createdAt: "),
            ({"pulls": [make_issue(1, comments=[make_comment("a\0")])]}, "pulls[0].comments[0].body: "),
            ({"labels": [{"name": "x", "color": "red"}]}, "labels[0].color: "),
            ({"repo": "no repository"}, "repo: "),
            ({"pulls": None}, "pulls: "),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_broken_record_is_named(self, fault: dict[str, Any], place: str) -> None:
        with pytest.raises(BrokenArchiveError) as refusal:
            read_github_archive(encode(make_archive(**fault)))
        assert refusal.value.message.startswith(place)

    @pytest.mark.parametrize("name", ["repo", "labels", "issues", "pulls"])
    def test_missing_part_is_named(self, name: str) -> None:
        archive = make_archive()
        del archive[name]
        with pytest.raises(BrokenArchiveError, match=f"^{name}: "):
            read_github_archive(encode(archive))

    @pytest.mark.parametrize(
        ("fields", "place"),
        [
            ({"issues": [make_issue(1), make_issue(4), make_issue(1)]}, r"^issues\[2\]: number 1 "),
            ({"issues": [make_issue(1)], "pulls": [make_issue(2), make_issue(1)]}, r"^pulls\[1\]: number 1 "),
        ],
    )
    def test_doubled_number_is_named(self, fields: dict[str, Any], place: str) -> None:
        with pytest.raises(BrokenArchiveError, match=place):
            read_github_archive(encode(make_archive(**fields)))

    def test_refusal_does_not_repeat_the_content(self) -> None:
        archive = make_archive(issues=[make_issue(1, state="a secret")])
        with pytest.raises(BrokenArchiveError) as refusal:
            read_github_archive(encode(archive))
        assert "a secret" not in refusal.value.message

    def test_reads_what_it_knows(self) -> None:
        archive = read_github_archive(encode(make_archive()))
        assert archive.repo == REPO
        assert [label.name for label in archive.labels] == ["Lamp", "rope"]
        assert [issue.number for issue in (*archive.issues, *archive.pulls)] == [2, 5, 3]


@pytest.mark.parametrize(
    ("repo", "key"),
    [
        ("quicwg/ops-drafts", "OPSDRAFTS"),
        ("a/b", "IMPORTB"),
        ("a/2", "IMPORT"),
        ("a/3d-printer", "DPRINTER"),
        ("a/_._", "IMPORT"),
        ("a/ünder", "NDER"),
        ("a/a-very-long-name-indeed", "AVERYLONGN"),
        ("owner2/X1", "X1"),
    ],
)
def test_key_is_made_of_the_name(repo: str, key: str) -> None:
    assert key_of(repo) == key
