from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasswork.core.query_language import MAX_TERMS, FilterSyntaxError, Term, Value, parse, render
from glasswork.core.query_values import choice, days, key, minutes, name, rank

FIELDS = {
    "label": name,
    "status": name,
    "due": days,
    "priority": rank(["low", "medium", "high"]),
    "estimate": minutes,
    "parent": key,
    "is": choice("archived", "overdue"),
}


def refusal(text: str) -> str:
    with pytest.raises(FilterSyntaxError) as error:
        parse(text, FIELDS)
    return str(error.value)


def test_reads_terms_values_and_words() -> None:
    assert parse('status:open label:bug,"two words"  -due:>=2026-01-01 port -"open port"', FIELDS) == [
        Term("status", (Value("open"),)),
        Term("label", (Value("bug"), Value("two words", is_quoted=True))),
        Term("due", (Value("2026-01-01", ">="),), is_negated=True),
        Term(None, (Value("port"),)),
        Term(None, (Value("open port", is_quoted=True),), is_negated=True),
    ]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        (" \t\n", []),
        ("LABEL:Bug", [Term("label", (Value("Bug"),))]),
        ("10:30", [Term(None, (Value("10:30"),))]),
        ("a,b<c", [Term(None, (Value("a,b<c"),))]),
        ("--x", [Term(None, (Value("-x"),), is_negated=True)]),
        ('"a \\"b\\" \\\\"', [Term(None, (Value('a "b" \\', is_quoted=True),))]),
        ("label:a:b", [Term("label", (Value("a:b"),))]),
    ],
)
def test_takes(text: str, terms: Sequence[Term]) -> None:
    assert parse(text, FIELDS) == terms


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("status:open port lable:bug", "column 18: there is no field lable; did you mean label?"),
        ("http://x", "column 1: there is no field http; there are label, status, due,"),
        ("label:", "column 7: expected a value"),
        ("label: bug", "column 7: expected a value"),
        ("label:bug, ui", "column 11: expected a value"),
        ("label:,bug", "column 7: expected a value"),
        ('x label:"', 'column 9: expected another " that ends what this one begins'),
        ('"a\\"', 'column 1: expected another "'),
        ('""', "column 1: expected something between the quotes"),
        ('label:" "', "column 7: expected something between the quotes"),
        ("-", "column 2: expected a field or a word after -"),
        ("a - b", "column 4: expected a field or a word after -"),
        ('"a"b', "column 4: expected a space"),
        ('a"b"', "column 2: expected a space"),
        ("label:<bug", "column 7: expected no < here"),
        ("due:soon", "column 5: expected a day such as 2026-03-01, an amount such as 7d,"),
        ("due:2026-02-30", "column 5: expected a day"),
        ("due:1000d", "column 5: expected a day"),
        ("due:today,<none", "column 11: expected no < here"),
        ('due:"today"', "column 5: expected a day"),
        ("priority:>=highest", "column 10: expected one of low, medium, high"),
        ("estimate:2", "column 10: expected a duration such as 30m, 2h or 1h30m, or none"),
        ("estimate:<", "column 11: expected a value"),
        ("parent:OPS", "column 8: expected the key of a task such as OPS-42, or none"),
        ("is:late", "column 4: expected one of archived, overdue"),
        ("😀 lable:x", "column 3: there is no field lable"),
        ("x " * (MAX_TERMS + 1), f"column {2 * MAX_TERMS + 1}: expected at most {MAX_TERMS} terms"),
    ],
)
def test_refuses_and_points_at_the_column(text: str, message: str) -> None:
    assert refusal(text).startswith(message)


def test_takes_as_many_terms_as_it_says() -> None:
    assert len(parse("x " * MAX_TERMS, FIELDS)) == MAX_TERMS


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("priority:high", ["high"]),
        ("priority:<high", ["low", "medium"]),
        ("priority:<=medium", ["low", "medium"]),
        ("priority:>medium", ["high"]),
        ("priority:>=MEDIUM", ["medium", "high"]),
        ("priority:<low", []),
        ("estimate:30m", 30),
        ("estimate:2h", 120),
        ("estimate:1h30m", 90),
        ("estimate:none", None),
        ("parent:ops-42", ("OPS", 42)),
    ],
)
def test_means(text: str, meaning: object) -> None:
    assert parse(text, FIELDS)[0].values[0].meaning == meaning


texts = st.text(st.sampled_from(' \t"\\,:<>=-abcdue17') | st.characters(), max_size=60)
quoted = st.builds(Value, st.text(min_size=1).filter(str.strip), is_quoted=st.just(True))
bare = st.builds(Value, st.text(st.sampled_from("abcü:7-é"), min_size=1))
words = st.builds(
    Value, st.text(st.sampled_from("abü7,<>"), min_size=1).filter(lambda text: text.strip("<>,"))
)
terms = st.builds(Term, st.none(), st.tuples(quoted | words), is_negated=st.booleans()) | st.builds(
    Term,
    st.just("label"),
    st.lists(quoted | bare, min_size=1, max_size=4).map(tuple),
    is_negated=st.booleans(),
)


def read(text: str) -> list[Term] | FilterSyntaxError:
    try:
        return parse(text, FIELDS)
    except FilterSyntaxError as error:
        return error


@given(texts)
def test_any_text_is_read_or_refused_and_reads_the_same_when_printed(text: str) -> None:
    found = read(text)
    if isinstance(found, FilterSyntaxError):
        assert 1 <= found.column <= len(text) + 1
    else:
        assert parse(render(found), FIELDS) == found


@given(st.lists(terms, max_size=MAX_TERMS))
def test_what_is_printed_is_read_again(wanted: list[Term]) -> None:
    assert parse(render(wanted), FIELDS) == wanted
