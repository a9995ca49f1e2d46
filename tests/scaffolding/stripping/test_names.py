import pytest

from glasswork.scaffolding.stripping.errors import StripError
from glasswork.scaffolding.stripping.names import check_name, renamed


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "small letters"),
        ("Acme", "small letters"),
        ("2acme", "small letters"),
        ("my_app", "small letters"),
        ("my-app", "small letters"),
        ("a" * 17, "small letters"),
        ("class", "word of Python"),
        ("email", "module of Python"),
        ("tests", "folder"),
        ("pgacme", "PostgreSQL"),
        ("glasswork", "already"),
        ("fastapi", "installed"),
    ],
)
def test_what_no_package_can_be_called_is_refused(name: str, reason: str) -> None:
    with pytest.raises(StripError, match=reason):
        check_name(name)


@pytest.mark.parametrize("name", ["acme", "a2", "orders"])
def test_others_are_taken(name: str) -> None:
    check_name(name)


def test_a_name_is_written_as_the_old_one_was() -> None:
    assert renamed("Glasswork: import glasswork, GLASSWORK_HOME", "acme") == "Acme: import acme, ACME_HOME"
