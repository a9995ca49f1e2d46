"""The fields of a feature, and the source that each of them makes."""

from collections.abc import Sequence
from dataclasses import dataclass

from .kinds import Filter, Kind
from .names import Names, camel


@dataclass(frozen=True, slots=True)
class QueryFilter:
    name: str
    annotation: str
    initially: str


@dataclass(frozen=True, slots=True)
class Default:
    python: str
    json: str


@dataclass(frozen=True, slots=True)
class Field:
    names: Names
    name: str
    kind: Kind
    optional: bool
    unique: bool
    default: Default | None

    @property
    def words(self) -> str:
        return self.name.replace("_", " ")

    @property
    def enum(self) -> str | None:
        return self._own_type if self.kind.choices else None

    @property
    def alias(self) -> str | None:
        return self._own_type if self.kind.taken.startswith("Annotated[") else None

    @property
    def python(self) -> str:
        return self.enum or self.kind.python

    @property
    def taken(self) -> str:
        return self.enum or self.alias or self.kind.taken

    @property
    def shown(self) -> str:
        return self.taken if self.kind.is_exact or self.is_member else self.python

    @property
    def error(self) -> str:
        """Of a value that another one has."""
        return f"{self._own_type}TakenError"

    @property
    def is_member(self) -> bool:
        return self.kind.filter is Filter.MEMBER

    def annotated(self, type_: str) -> str:
        return f"{type_} | None" if self.optional else type_

    @property
    def column(self) -> str:
        """What is assigned in the model; a column that an index names there needs to be."""
        is_named = bool(self.kind.column) or self.unique
        return f" = mapped_column({self.kind.column})" if is_named else ""

    @property
    def initially(self) -> str:
        if self.default:
            return f" = {self.default.python}"
        return " = None" if self.optional else ""

    @property
    def has_no_case(self) -> bool:
        """Whether values that differ in case alone are the same to its index."""
        return self.unique and bool(self.kind.room)

    @property
    def model_key(self) -> str:
        """In the model's unique index."""
        return f"func.lower({self.name})" if self.has_no_case else f'"{self.name}"'

    @property
    def ddl_key(self) -> str:
        return f'sa.literal_column("lower({self.name})")' if self.has_no_case else f'"{self.name}"'

    @property
    def ddl(self) -> str:
        if not self.enum:
            return self.kind.ddl
        choices = ", ".join(f'"{choice}"' for choice in self.kind.choices)
        options = "native_enum=False, create_constraint=True, length=32"
        return f'sa.Enum({choices}, name="{self.enum.lower()}", {options})'

    @property
    def sort_key(self) -> str:
        assert self.kind.order  # noqa: S101 (asked of those alone that have one)
        column, order = f"{self.names.entity}.{self.name}{self.kind.collation}", self.kind.order
        if not self.optional:
            return f"SortKey.of({column}, {order.type})"
        ends = f"least={order.least}, greatest={order.greatest}"
        return f"SortKey.nulls_last({column}, {order.type}, {ends})"

    @property
    def filters(self) -> Sequence[QueryFilter]:
        one = f"{self.kind.asked or self.taken} | None"
        match self.kind.filter:
            case Filter.ANY:
                null = ' | Literal["null"]' if self.optional and self.enum else ""
                return [QueryFilter(self.name, f"list[{self.taken}{null}]", "Field([], max_length=50)")]
            case Filter.EQUAL:
                return [QueryFilter(self.name, one, "None")]
            case Filter.WITHIN:
                inclusive = 'Field(None, description="Inclusive.")'
                return [QueryFilter(f"{self.name}_{end}", one, inclusive) for end in ("min", "max")]
            case Filter.BETWEEN:
                words = {"after": "From then on.", "before": "Before then."}
                return [
                    QueryFilter(f"{self.stem}_{end}", one, f'Field(None, description="{text}")')
                    for end, text in words.items()
                ]
            case Filter.MEMBER:
                return [QueryFilter(self.name, "list[UserId | Who]", "Field([], max_length=50)")]
            case Filter.NONE:
                return []

    @property
    def condition(self) -> str | None:
        """Of the repository, for its filters."""
        column = f"{self.names.entity}.{self.name}"
        values = ", ".join(f"query.{each.name}" for each in self.filters)
        function = {
            Filter.ANY: "any_of",
            Filter.EQUAL: "equal",
            Filter.WITHIN: "within",
            Filter.BETWEEN: "between",
            Filter.MEMBER: "any_of",
        }.get(self.kind.filter)
        me = ", me=actor.user_id" if self.is_member else ""
        return f"{function}({column}, {values}{me})" if function else None

    @property
    def stem(self) -> str:
        """`due` of `due_at` and `due_on`: what the filters of moments are named after."""
        return self.name.removesuffix("_at").removesuffix("_on")

    @property
    def _own_type(self) -> str:
        return f"{self.names.entity}{camel(self.name)}"
