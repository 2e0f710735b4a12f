"""File names that a mail may not choose freely."""

import re
import unicodedata

__all__ = ["FileNames"]

#: Unicode's controls, formats (with the marks that turn the direction), half characters, line ends, and what has no
#: meaning yet.
_UNFIT = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})

_RESERVED = re.compile(r'[:*?"<>|]')
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE)

#: Bytes of the longest extension that is kept when a name is cut.
_EXTENSION = 20

#: Bytes kept free for the number that tells equal names apart.
_NUMBER = 6

_EXTENSIONS = {
    "application/gzip": ".gz",
    "application/json": ".json",
    "application/msword": ".doc",
    "application/ms-tnef": ".dat",
    "application/pdf": ".pdf",
    "application/pgp-encrypted": ".asc",
    "application/pgp-keys": ".asc",
    "application/pgp-signature": ".asc",
    "application/pkcs7-mime": ".p7m",
    "application/pkcs7-signature": ".p7s",
    "application/rtf": ".rtf",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/x-pkcs7-mime": ".p7m",
    "application/x-pkcs7-signature": ".p7s",
    "application/xml": ".xml",
    "application/zip": ".zip",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/tiff": ".tif",
    "image/webp": ".webp",
    "message/rfc822": ".eml",
    "message/global": ".eml",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
    "text/xml": ".xml",
    "video/mp4": ".mp4",
}
_BY_GROUP = {"text": ".txt", "message": ".txt"}


class FileNames:
    """The file names given within one mail: safe on any system, at most `longest` bytes, no two alike."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def take(self, sent: str | None, type_: str, number: int) -> str:
        """A name for the file that was sent as `sent`; if that gives none, one made of its number and type."""
        stem, extension = self._cut(_fit(sent or ""))
        if not stem:
            group = type_.partition("/")[0]
            stem, extension = f"part-{number}", _EXTENSIONS.get(type_) or _BY_GROUP.get(group, ".bin")
        name = stem + extension
        while name.casefold() in self._taken:
            count = self._numbers.get(stem.casefold(), 1) + 1
            self._numbers[stem.casefold()] = count
            name = f"{stem}-{count}{extension}"
        self._taken.add(name.casefold())
        return name

    def _cut(self, name: str) -> tuple[str, str]:
        """Stem and extension, together short enough to put a number between."""
        dot = name.rfind(".")
        stem, extension = (name[:dot], name[dot:]) if dot > 0 else (name, "")
        if len(extension.encode()) > _EXTENSION:
            stem, extension = name, ""
        room = self._longest - _NUMBER - len(extension.encode())
        return stem.encode()[:room].decode("utf-8", "ignore").rstrip(". "), extension


def _fit(name: str) -> str:
    base = re.split(r"[/\\]", name)[-1]
    base = unicodedata.normalize("NFC", base)
    base = "".join(letter for letter in base if unicodedata.category(letter) not in _UNFIT)
    base = _RESERVED.sub("_", base).lstrip(".-~ \u00a0").rstrip(". \u00a0")
    return "_" + base if _DEVICE.fullmatch(base) else base
