"""Write down what had passed: `PYTHONPATH=src python3 deploy/write_release.py COMMIT`.

To be run after all gates, and before `uv build` or `docker build`: the record of the release goes into the
package, where `glasswork doctor` reads it. Needs only Python.
"""

import json
import sys
from pathlib import Path
from typing import Any

from glasswork.doctor.source import RECORD, Source, look

ROOT = Path(__file__).parents[1]


def record(source: Source, commit: str) -> dict[str, Any]:
    """Gates are those that the checkout has; that they passed is why this is run at all."""
    gates = [name for name, (ok, _) in look(source).items() if ok or name == "ci_green"]
    return {"version": source.project["project"]["version"], "commit": commit, "gates": gates}


def main(commit: str) -> None:
    package = ROOT / "src/glasswork"
    (package / RECORD).write_text(json.dumps(record(Source(package), commit), indent=2) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
