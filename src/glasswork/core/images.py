"""Small pictures of large ones; for child processes, since a stranger's picture may cost what it likes."""

import io
import resource

from PIL import Image, ImageOps

MEDIA_TYPE = "image/webp"
READABLE = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}
"""What a thumbnail is made of, by media type."""
MOST_BYTES = 20 << 20
"""Of the file."""
MOST_PIXELS = 50_000_000
SIDE = 256
"""Pixels of the longer side."""

_MEMORY = 1 << 30


def make_thumbnail(content: bytes, media_type: str) -> bytes | None:
    """Return a WebP without any metadata, or None: it is no picture, or one too large."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    try:
        with Image.open(io.BytesIO(content), formats=[READABLE[media_type]]) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            image.draft("RGB", (SIDE, SIDE))  # a JPEG is read at a fraction of its size
            small = ImageOps.exif_transpose(image)
            small.thumbnail((SIDE, SIDE))
            written = io.BytesIO()
            small.convert("RGBA" if small.has_transparency_data else "RGB").save(written, "WEBP", quality=80)
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError):
        return None
    return written.getvalue()
