"""Write what is made of slo.yaml: `uv run task objectives`."""

from objectives.files import DEPLOY, make_files

for path, text in make_files().items():
    place = DEPLOY / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
