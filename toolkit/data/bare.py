"""The bytes of a picture less its metadata: profiles, texts, EXIF and the like, which do not change its pixels."""

from __future__ import annotations

import re
import struct
from itertools import pairwise

PNG = b"\x89PNG\r\n\x1a\n"
ORIENTATION = 274
_PIXELS = {
    254, 255, 256, 257, 258, 259, 262, 266, 273, ORIENTATION, 277, 278, 279, 280, 281, 284, 292, 293, 317, 320, 322,
    323, 324, 325, 332, 338, 339, 347, 529, 530, 531, 532,
}  # fmt: skip
"""Tags of a TIFF that say how its pixels lie and which way up."""


def bare(data: bytes, keep_exif: bool) -> bytes | None:
    """The file less its metadata; None for a kind that is not known, or where nothing is to be left out.

    keep_exif: leave the EXIF block, which says which way up the picture is.
    """
    try:
        less = _less(data, keep_exif)
    except (struct.error, IndexError):
        return None
    return None if less is None or less == data else less


def _less(data: bytes, keep_exif: bool) -> bytes | None:
    if data.startswith(PNG):
        return _png(data, keep_exif)
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data, keep_exif)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data, keep_exif)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _tiff(data, keep_exif)
    if data[4:12] in (b"ftypavif", b"ftypavis", b"ftypmif1"):
        return _avif(data, keep_exif)
    return None


def _png(data: bytes, keep_exif: bool) -> bytes:
    """Chunks whose name begins with a capital are the picture; of the others only transparency is."""
    found, at = PNG, len(PNG)
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size
        if name[:1].isupper() or name == b"tRNS" or (keep_exif and name == b"eXIf"):
            found += data[at:end]
        at = end
    return found


def _jpeg(data: bytes, keep_exif: bool) -> bytes:
    """Segments up to the first scan, less comments and those of applications but JFIF's and Adobe's own (APP0, APP14).

    Where a segment's length is wrong, reading goes on at the next one that holds tables.
    """
    found, at = data[:2], 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        marker, size = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xDA:
            break
        end = at + 2 + size
        application = 0xE1 <= marker <= 0xED or marker in (0xEF, 0xFE)
        if application and data[end : end + 1] != b"\xff":
            table = re.compile(rb"\xff[\xc0-\xc4\xdb\xdd]").search(data, at + 4)
            end = table.start() if table else len(data)
        elif not application or (keep_exif and data[at + 4 : at + 8] == b"Exif"):
            found += data[at:end]
        at = end
    return found + data[at:]


def _webp(data: bytes, keep_exif: bool) -> bytes:
    """Chunks less profile and XMP; the header's flags say so too."""
    found, at, drop = b"", 12, {b"ICCP", b"XMP "} | (set() if keep_exif else {b"EXIF"})
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        end = at + 8 + size + size % 2
        chunk = data[at:end]
        if name == b"VP8X":
            chunk = chunk[:8] + bytes([chunk[8] & (0xDB if keep_exif else 0xD3)]) + chunk[9:]
        found += b"" if name in drop else chunk
        at = end
    return b"RIFF" + struct.pack("<I", len(found) + 4) + b"WEBP" + found


def _tiff(data: bytes, keep_exif: bool) -> bytes:
    """The first directory with all tags blanked that do not say how the pixels lie; nothing moves."""
    order = "<" if data[:2] == b"II" else ">"
    start = struct.unpack_from(order + "I", data, 4)[0]
    count = struct.unpack_from(order + "H", data, start)[0]
    edges = range(start + 2, start + 2 + 12 * (count + 1), 12)
    found, kept = bytearray(data), _PIXELS if keep_exif else _PIXELS - {ORIENTATION}
    for at, end in pairwise(edges):
        if struct.unpack_from(order + "H", data, at)[0] not in kept:
            found[at:end] = struct.pack(order + "HHII", 65000, 1, 1, 0)
    return bytes(found)


def _avif(data: bytes, keep_exif: bool) -> bytes:
    """Items of EXIF and XMP under a type that no reader knows; nothing moves."""
    kinds = rb"mime" if keep_exif else rb"mime|Exif"
    return re.sub(rb"(infe.{8})(?:" + kinds + rb")", rb"\1none", data, flags=re.DOTALL)
