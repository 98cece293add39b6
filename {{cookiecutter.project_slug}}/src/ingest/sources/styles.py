"""How an API says where its next page is: one class for each way."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urljoin

from ingest.errors import SourceError
from ingest.sources.cutting import MISSING, dotted, member

# An address may hold commas and semicolons, and so may what stands in quotes.
_LINK = re.compile(r'<([^>]*)>((?:"[^"]*"|[^",])*)')
_PARAM = re.compile(r';\s*([^\s=;,"]+)\s*=\s*("[^"]*"|[^\s;,"]*)')


@dataclass(frozen=True)
class Page:
    """One page that came: its address and headers, its body without the records.

    count: its records; last: the text of the last one, None where there is none.
    """

    url: str
    headers: Mapping[str, str]
    body: Any
    count: int
    last: str | None


@dataclass(frozen=True, kw_only=True)
class Pages:
    """What all ways have in common. Keys are dotted, as in "meta.next".

    records: the key of the array of records; None where the page itself is the array.
    size_param: the query parameter that asks for a page size, and page_size the largest
        that the API allows; the run's batch size is sent where it is smaller.
    total, total_header: the key or the header that says how many records there are; what
        came is compared with it.
    more: the key that says true until the last page.
    past_end: the status with which the API answers past its last page, such as 404.
    """

    records: str | None = None
    size_param: str | None = None
    page_size: int | None = None
    total: str | None = None
    total_header: str | None = None
    more: str | None = None
    past_end: int | None = None

    # Whether a position is a whole address, not the value of a parameter.
    by_address: ClassVar[bool] = False
    # Whether a page with fewer records than one before it is the last.
    short_page_ends: ClassVar[bool] = False

    def start(self) -> str | None:
        """The position of the first page; None where it has none."""
        return None

    def query(self, position: str) -> dict[str, str]:
        """The parameters that ask for the page at `position`."""
        return {}

    def key(self) -> str | None:
        """The key of the body that names the next page, where one does."""
        return None

    def after(self, page: Page, position: str | None) -> str | None:
        """The position of the page after this one, or None where none is named."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class ByLink(Pages):
    """The header `Link: <address>; rel="next"` names the next page."""

    by_address: ClassVar[bool] = True

    def after(self, page: Page, position: str | None) -> str | None:
        for address, relations in _links(page.headers.get("link", "")):
            if "next" in relations:
                return urljoin(page.url, address)
        return None


@dataclass(frozen=True, kw_only=True)
class ByNextUrl(Pages):
    """The body holds the next page's address under the key `next`."""

    next: str = "next"
    by_address: ClassVar[bool] = True

    def key(self) -> str | None:
        return self.next

    def after(self, page: Page, position: str | None) -> str | None:
        found = _named(page, self.next)
        return urljoin(page.url, found) if found else None


@dataclass(frozen=True, kw_only=True)
class ByCursor(Pages):
    """The body holds a cursor under the key `cursor`, to be sent as the parameter `param`."""

    cursor: str
    param: str

    def key(self) -> str | None:
        return self.cursor

    def query(self, position: str) -> dict[str, str]:
        return {self.param: position}

    def after(self, page: Page, position: str | None) -> str | None:
        return _named(page, self.cursor)


@dataclass(frozen=True, kw_only=True)
class ByLastRecord(Pages):
    """The value under `field` of a page's last record is sent as the parameter `param`."""

    field: str
    param: str
    short_page_ends: ClassVar[bool] = True

    def query(self, position: str) -> dict[str, str]:
        return {self.param: position}

    def after(self, page: Page, position: str | None) -> str | None:
        found = member(page.last, self.field) if page.last is not None else MISSING
        if isinstance(found, str) and found:
            return found
        raise SourceError(
            f"The last record of a page has no text or number under {self.field!r}, by which the "
            "next page is asked for. Correct `field` in extract.py."
        )


@dataclass(frozen=True, kw_only=True)
class ByNumber(Pages):
    """The parameter `param` counts the pages, from `first`."""

    param: str = "page"
    first: int = 1
    short_page_ends: ClassVar[bool] = True

    def start(self) -> str | None:
        return str(self.first)

    def query(self, position: str) -> dict[str, str]:
        return {self.param: position}

    def after(self, page: Page, position: str | None) -> str | None:
        return str(int(position or self.first) + 1)


@dataclass(frozen=True, kw_only=True)
class ByOffset(Pages):
    """The parameter `param` counts the records before the page."""

    param: str = "offset"
    first: int = 0
    short_page_ends: ClassVar[bool] = True

    def start(self) -> str | None:
        return str(self.first)

    def query(self, position: str) -> dict[str, str]:
        return {self.param: position}

    def after(self, page: Page, position: str | None) -> str | None:
        # By what came, not by what was asked for: an API may give fewer than that.
        return str(int(position or self.first) + page.count)


def _named(page: Page, key: str) -> str | None:
    """The address or cursor under `key` of the body; None where it is absent, null or empty."""
    found = dotted(page.body, key)
    if found is MISSING or found is None or found is False or found == "":
        return None
    if isinstance(found, str):
        return found
    raise SourceError(
        f"A page holds {str(found)[:60]!r} under {key!r}, which is neither an address nor a "
        "cursor. Correct the key in extract.py."
    )


def _links(header: str) -> list[tuple[str, list[str]]]:
    """The addresses of a Link header, each with its relations.

    The HTTP library's own reading takes rel="prev next" for one name, and gives up at an
    equals sign in a parameter.
    """
    found = []
    for address, text in _LINK.findall(header):
        params = {name.lower(): value.strip('"') for name, value in _PARAM.findall(text)}
        found.append((address.strip(), params.get("rel", "").lower().split()))
    return found
