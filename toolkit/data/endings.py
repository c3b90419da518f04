"""Endings of pictures: those that Pillow here reads, those that it does not, and what reads them instead."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from PIL import Image, ImageFile, features

from toolkit.data.choice import first_three, tally

NO_PICTURES = frozenset({".pdf", ".ps", ".eps", ".h5", ".hdf", ".grib", ".bufr", ".mpg", ".mpeg", ".iim"})
"""What Pillow has a name for and is a container, a page, a film or a caption."""
NEEDS = {"AVIF": "avif", "WEBP": "webp", "JPEG2000": "jpg_2000", "JPEG": "jpg", "PNG": "zlib"}
"""Formats of Pillow that are names only where its build lacks a library."""
_READERS = {
    "pillow-heif": ".heic .heif .hif .heics .heifs .avci .avcs",
    "pillow-avif-plugin": ".avif .avifs",
    "pillow-jxl-plugin": ".jxl",
    "pillow-jpls": ".jls",
    "rawpy": ".3fr .ari .arq .arw .bay .cap .cr2 .cr3 .crw .dcr .dcs .dng .drf .eip .erf .fff .gpr .iiq .k25 .kdc .mdc "
    ".mef .mos .mrw .nef .nrw .orf .ori .pef .ptx .pxn .r3d .raf .raw .rw2 .rwl .rwz .sr2 .srf .srw .x3f",
    "pydicom": ".dcm .dicom",
    "OpenEXR": ".exr",
    "imageio": ".hdr .rgbe .xyze .dpx .cin",
    "cairosvg": ".svg .svgz",
    "psd-tools": ".psd .psb",
    "imagecodecs": ".jxr .wdp .hdp .jp2 .j2k .j2c .jpc .jpf .jpx .jph .jhc .webp",
    "tifffile": ".lsm .stk",
    "openslide-python": ".svs .ndpi .mrxs .scn .vms .vmu .bif .svslide",
    "bioio": ".czi .lif .nd2 .oib .oif .oir .vsi",
    "nibabel": ".nii .mgz .nii.gz",
    "SimpleITK": ".mha .mhd .nrrd",
    "": ".eps .ai .wmf .emf .xcf .kra .ora .cdr .afphoto .procreate .flif .bpg .jng .mng .ktx .ktx2 .pvr .astc .vtf "
    ".djvu .pict .pct .wbmp .jbig .jb2 .jbig2 .wp2 .mpg .mpeg",
}
READERS = {ending: name for name, endings in _READERS.items() for ending in endings.split()}
"""Ending of a picture → what reads it, "" where another program has to save it otherwise."""


def suffixes() -> frozenset[str]:
    """The endings of images, in lower case: what Pillow reads as it is built, with the plug-ins that are registered."""
    kinds = {ending: kind for ending, kind in Image.registered_extensions().items() if ending not in NO_PICTURES}
    able = {kind for kind in set(kinds.values()) if kind == "MPO" or _reads(kind)}  # MPOs are opened as JPEGs
    return frozenset(ending for ending, kind in kinds.items() if kind in able)


def ending_of(name: str) -> str:
    """The ending of a file in lower case, ".nii.gz" among them."""
    lower = name.lower().rpartition("/")[2]
    stem, _, ending = lower.rpartition(".")
    if lower.endswith(".nii.gz"):
        return ".nii.gz"
    return f".{ending}" if stem.strip(".") and ending else ""


def unread(name: str, readable: frozenset[str] | None = None) -> bool:
    """Whether a file is, by its ending, a picture that Pillow here cannot read. readable: `suffixes()`, if at hand."""
    ending = ending_of(name)
    return ending in READERS and ending not in (suffixes() if readable is None else readable)


def left_out(paths: Sequence[str], gone: Sequence[str] = ()) -> str:
    """What is said of pictures that cannot be read: how many, of which endings, what reads them.

    gone: names of classes that have no other picture.

    >>> left_out(["dog/1.HEIC", "dog/2.heic"], ["dog"])
    "2 pictures that Pillow here cannot read are left out: .heic 2 (pillow-heif reads it), 'dog/1.HEIC', 'dog/2.heic'; \
no other image has the class 'dog'"
    """
    listed = ", ".join(f"{ending} {n} ({_by(READERS[ending])})" for ending, n in _counts(paths).items())
    n, s, are = (1, "", "is") if len(paths) == 1 else (len(paths), "s", "are")
    said = f"{n} picture{s} that Pillow here cannot read {are} left out: {listed}, {first_three(paths)}"
    return said + (f"; no other image has the class{'es' * (len(gone) > 1)} {first_three(gone)}" if gone else "")


def remedy(paths: Sequence[str]) -> str:
    """How to have such pictures read after all."""
    names = [name for name in dict.fromkeys(READERS[ending] for ending in _counts(paths)) if name]
    plug_ins = [name for name in names if name.startswith("pillow-")]
    others = [name for name in names if name not in plug_ins]
    first = f"install and register {' and '.join(plug_ins)}, or " if plug_ins else ""
    return f"{first}save them as PNG or JPEG{f', e.g. with {first_three(others)}' if others else ''}"


def _reads(kind: str) -> bool:
    """Whether Pillow can decode a format: it knows how to open it, and its library or handler is there."""
    if kind not in Image.OPEN or (kind in NEEDS and not features.check(NEEDS[kind])):
        return False
    factory = Image.OPEN[kind][0]
    module = sys.modules[factory.__module__]
    stub = isinstance(factory, type) and issubclass(factory, ImageFile.StubImageFile)
    return bool(getattr(module, "SUPPORTED", True)) and not (stub and getattr(module, "_handler", None) is None)


def _by(reader: str) -> str:
    return f"{reader} reads it" if reader else "another program has to save it as PNG"


def _counts(paths: Sequence[str]) -> Mapping[str, int]:
    return tally(ending_of(path) for path in paths)
