import pytest

from glasswork.core.media_types import TEXT, UNKNOWN, media_type_of


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b" \n\t<!DOCTYPE html>",
        b"\xef\xbb\xbf<html>",
        b"<?xml version='1.0'?>",
        b"hello <ScRiPt>alert(1)",
        b"GIF89a/*<script>",
        b"%PDF-1.7 <script>",
        b"RIFF\x00\x00\x00\x00AVI LIST",
        b"\x00\x00\x00\x00\x00\x00\x00\x00WEBP",
        b"MZ\x90\x00",
        b"\x7fELF\x02",
        b"words\x00with NUL",
        b"words\x1b[31m",
        b"\xff\xfew\x00",
        b"caf\xe9",
        "ends with half a letter é".encode()[:-1],
    ],
)
def test_what_is_not_on_the_list_is_unknown(head: bytes) -> None:
    assert media_type_of(head) == UNKNOWN


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a\x01", "image/gif"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"%PDF-1.4", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x1f\x8b\x08\x00", "application/gzip"),
        (b"\x00\x00\x00\x18ftypisom", "video/mp4"),
        (b"\x00\x00\x00\x1cftypavif", "image/avif"),
        ("Grüße, 1 < 2\n".encode(), TEXT),
        (b"a" * 511 + "é".encode()[:1], TEXT),
    ],
)
def test_what_is_is_known(head: bytes, media_type: str) -> None:
    assert media_type_of(head) == media_type
