import pytest

from glasswork.scaffolding.errors import RefusedError
from glasswork.scaffolding.feature import Feature
from glasswork.scaffolding.fields import Field
from glasswork.scaffolding.names import Names
from glasswork.scaffolding.reading import read_field

INVOICES = Names("invoices", "invoice")


def read(specification: str) -> Field:
    return read_field(INVOICES, specification)


def feature(*fields: str) -> Feature:
    return Feature.read("glasswork", "invoices", None, fields)


@pytest.mark.parametrize(
    ("specification", "reason"),
    [
        ("amount", "write NAME:TYPE"),
        ("amount:decimal(12,2", "write NAME:TYPE"),
        ("amount:decimal required", "write NAME:TYPE"),
        (":int", "a name has lower-case letters"),
        ("Amount:int", "a name has lower-case letters"),
        ("sum-total:int", "a name has lower-case letters"),
        ("1st:int", "a name has lower-case letters"),
        ("a__b:int", "a name has lower-case letters"),
        ("a" * 31 + ":int", "at most 30 characters"),
        ("prix_é:int", "a name has lower-case letters"),
        ("amount:money", "the types are str, text, int"),
        ("amount:", "the types are str, text, int"),
        ("reference:uuid", r"of another system is a str\(36\)"),
        *((f"{name}:int", "every feature has") for name in ("id", "workspace_id", "created_by", "version")),
        *((f"{name}:int", "is a word of Python") for name in ("class", "from", "lambda")),
        *((f"{name}:str", "is a type of Python") for name in ("date", "list", "str")),
        *(
            (f"{name}:int", "means something else")
            for name in ("metadata", "json", "copy", "model_year", "read", "optional")
        ),
        *((f"{name}:int", "is a reserved word of SQL") for name in ("order", "limit", "end", "desc")),
        ("payer_id:str", "a name ends with _id where the type is user"),
        ("payer:user?", "a name ends with _id where the type is user"),
        ("payer_id:user", "write user?"),
        ("payer_id:user? unique", "can be unique"),
        ("is_paid:bool unique", "can be unique"),
        ("number:str(7) unique", "room for at least 8 characters"),
        ("number:str(0)", "from 1 to 10000"),
        ("number:str(x)", "from 1 to 10000"),
        ("number:str(10001)", "from 1 to 10000"),
        ("amount:decimal(2,3)", "how many of them stand behind the point"),
        ("amount:decimal(29,2)", "28 at most"),
        ("amount:decimal(12)", "such as decimal"),
        ("notes:text(5)", "takes nothing in parentheses"),
        *(
            (f"status:enum({choices})", "two or more different words")
            for choices in ("", "a", "a|a", "a|B", "a||b")
        ),
        ("copies:int? = 1", "goes neither with"),
        ("number:str unique = A", "goes neither with"),
        *(
            (f"{field} = {value}", "is no value that can stand")
            for field, value in (
                ("copies:int", "one"),
                ("copies:int", str(2**31)),
                ("amount:decimal", "1.005"),
                ("is_paid:bool", "yes"),
                ("status:enum(a|b)", "c"),
                ("code:str(2)", "abc"),
                ("code:str", ""),
                ("due_on:date", "2026-03-01"),
            )
        ),
    ],
)
def test_what_can_be_no_field_is_refused(specification: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason) as refused:
        read(specification)
    assert repr(specification.strip()) in str(refused.value)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ((), "needs a field that is no reference"),
        (("payer_id:user?",), "needs a field that is no reference"),
        (("number:int", "number:str"), "2 fields 'number'"),
        (("sort:str",), "two parameters 'sort'"),
        (("due_on:date", "due_at:datetime"), "two parameters 'due_after'"),
        (("amount:int", "amount_min:bool"), "two parameters 'amount_min'"),
    ],
)
def test_fields_that_do_not_fit_together_are_refused(fields: tuple[str, ...], reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        feature(*fields)


@pytest.mark.parametrize(
    ("length", "field", "fits"),
    [(30, "{}:str unique", 29), (30, "{}_id:user?", 13), (20, "{}:enum(a|b)", 20), (30, "{}:int", 30)],
)
def test_names_are_as_long_as_the_database_takes_them(length: int, field: str, fits: int) -> None:
    plural, singular = "a" * (length - 1) + "s", "a" * (length - 1)
    with pytest.raises(RefusedError, match=r"63 characters|at most 30 characters"):
        Feature.read("glasswork", plural, singular, [field.format("c" * (fits + 1)), "x:int"])
    made = Feature.read("glasswork", plural, singular, [field.format("c" * fits), "x:int"])
    assert made.names == Names(plural, singular)


@pytest.mark.parametrize(
    ("specification", "optional", "unique", "default"),
    [
        ("number:str(50) unique", False, True, None),
        (" number : str ( 50 )  unique ", False, True, None),
        ("number:str(50)? unique", True, True, None),
        ("due_on:date?", True, False, None),
        ("copies:int=-1", False, False, "-1"),
        ("notes:text", False, False, '""'),
        ("notes:text?", True, False, None),
        ('code:str = say "so"', False, False, r'"say \"so\""'),
        ("amount:decimal = 1.5", False, False, '"1.50"'),
        ("status:enum(draft | sent) = sent", False, False, '"sent"'),
        ("type:enum(a|b)", False, False, None),
        ("total:int", False, False, None),
        ("payer_id:user?", True, False, None),
    ],
)
def test_what_is_said_of_a_field(
    specification: str, optional: bool, unique: bool, default: str | None
) -> None:
    field = read(specification)
    assert (field.optional, field.unique) == (optional, unique)
    assert (field.default.json if field.default else None) == default


def test_names_are_checked_in_the_order_in_which_they_are_read() -> None:
    with pytest.raises(RefusedError, match="'a:nothing'"):
        feature("a:nothing", "b:nothing")
