"""What a file is, by its first bytes: what its sender says of it counts for nothing."""

from typing import Final

HEAD_BYTES: Final = 512
"""Of the beginning of a file, which are looked at."""
UNKNOWN: Final = "application/octet-stream"
TEXT: Final = "text/plain; charset=utf-8"

_SIGNATURES: Final = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypheic", "image/heic"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"OggS", "application/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (8, b"WAVE", "audio/wav"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
)
_MARKUP: Final = (b"<", b"\xef\xbb\xbf<")
"""HTML, SVG and XML may bring scripts, in whatever way they begin after it."""


def media_type_of(head: bytes) -> str:
    """Return one of a closed list; what is not on it, and what a browser might carry out, is UNKNOWN."""
    for offset, signature, media_type in _SIGNATURES:
        if head[offset:].startswith(signature) and _fits(head, media_type):
            return UNKNOWN if b"<script" in head.lower() else media_type
    return TEXT if _is_text(head) else UNKNOWN


def _fits(head: bytes, media_type: str) -> bool:
    return head.startswith(b"RIFF") if media_type in {"image/webp", "audio/wav"} else True


def _is_text(head: bytes) -> bool:
    """UTF-8 without control characters, and no markup; a character may be cut off at the end."""
    if not head or head.lstrip().startswith(_MARKUP) or b"<script" in head.lower():
        return False
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3 or len(head) < HEAD_BYTES:
            return False
        text = head[: error.start].decode()
    return all(character.isprintable() or character in "\t\n\r\f" for character in text)
