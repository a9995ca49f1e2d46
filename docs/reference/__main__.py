"""Write the pages that are made of the code: `uv run task docs`."""

import asyncio

from .pages import pages

for path, text in asyncio.run(pages()).items():
    path.write_text(text)
