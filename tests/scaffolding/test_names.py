import pytest

from glasswork.scaffolding.errors import RefusedError
from glasswork.scaffolding.names import Names


@pytest.mark.parametrize(
    ("plural", "singular", "reason"),
    [
        ("Invoices", None, "no name for a feature"),
        ("sales-orders", None, "no name for a feature"),
        ("invoices2", None, "no name for a feature"),
        ("_invoices", None, "no name for a feature"),
        ("", None, "no name for a feature"),
        ("../invoices", None, "no name for a feature"),
        ("a" * 30 + "s", None, "at most 30 characters"),
        ("invoices", "in voice", "no name for a feature"),
        ("invoice", None, "say it with --singular"),
        ("people", None, "say it with --singular"),
        ("address", None, "say it with --singular"),
        ("status", None, "say it with --singular"),
        ("s", None, "say it with --singular"),
        ("news", "news", "needs a name of its own"),
    ],
)
def test_what_can_be_no_name_is_refused(plural: str, singular: str | None, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        Names.of(plural, singular)


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("invoices", "invoice"),
        ("companies", "company"),
        ("addresses", "address"),
        ("boxes", "box"),
        ("batches", "batch"),
        ("wishes", "wish"),
        ("houses", "house"),
        ("sales_orders", "sales_order"),
    ],
)
def test_one_of_many_is_called_as_in_english(plural: str, singular: str) -> None:
    assert Names.of(plural, None) == Names(plural, singular)


def test_what_is_said_is_taken() -> None:
    assert Names.of("people", "person").singular == "person"


def test_of_several_words_each_place_has_its_own_form() -> None:
    names = Names.of("sales_orders", None)
    assert (names.entity, names.collection) == ("SalesOrder", "SalesOrders")
    assert (names.path, names.tag, names.words) == ("/sales-orders", "sales-orders", "sales order")
    assert (names.article, Names.of("invoices", None).article) == ("a", "an")
