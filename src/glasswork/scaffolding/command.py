"""What `new-feature` does and says."""

from collections.abc import Sequence
from pathlib import Path

from .checkout import Checkout
from .feature import Feature
from .plan import plan


def new_feature(
    package_folder: Path, plural: str, singular: str | None, fields: Sequence[str], *, dry_run: bool
) -> str:
    """Return what has been done, or would be, and what is to do next; raise StartError."""
    checkout = Checkout.of(package_folder)
    feature = Feature.read(checkout.package, plural, singular, fields)
    texts = plan(checkout, feature)
    files = "\n".join(f"  {'new    ' if text.is_new else 'changed'}  {text.path}" for text in texts)
    if dry_run:
        return f"{files}\n\nNothing has been written."
    checkout.write(texts)
    checkout.generate_docs()
    return f"{files}\n\n{_next(feature)}"


def _next(feature: Feature) -> str:
    names = feature.names
    folder = f"src/{feature.package}/features/{names.plural}"
    return f"""Next:
  uv run {feature.package} migrate
  uv run pytest tests/features/{names.plural} tests/contract
  Say in {folder} what {names.article} {names.words} is for, and in docs/changes that it is there."""
