"""What one line says: `dynamodb://REGION/TABLE?option=value`.

Sources of options may give it in place of many. What looks like one and is none is an error; a
url of another scheme is another backend's.
"""

from __future__ import annotations

import re
import urllib.parse

from beaker_dynamodb.config import parsers
from beaker_dynamodb.errors import OptionError

EXPECTED = "option 'url' is expected as dynamodb://REGION/TABLE?option=value"
_SCHEME = "dynamodb"
_REGION = re.compile(r"[A-Za-z0-9-]*", re.ASCII)
#: What a region looks like where no table is named: a table's name alone would be taken for one.
_OF_AWS = re.compile(r"([a-z]+-){2,}\d+", re.ASCII)


def options_in(url: object) -> dict[str, object] | None:
    """Read the options that *url* holds, as texts; None where it is another backend's.

    Raises: OptionError, which shows nothing of the url.
    """
    if not isinstance(url, str):
        raise OptionError(EXPECTED)
    place, _, query = url.strip().partition("?")
    scheme, _, path = place.partition(":")
    if scheme.lower() != _SCHEME:
        if parsers.find_nearest(scheme, [_SCHEME]):
            raise OptionError(EXPECTED)
        return None
    if parsers.has_comment(url):
        raise OptionError(f"{EXPECTED}; {parsers.COMMENT}")
    region, _, table = path.removeprefix("//").partition("/")
    table = urllib.parse.unquote(table.strip("/"))
    pairs = _pairs(query)
    if not path.startswith("//") or not _REGION.fullmatch(region) or "/" in table or "#" in url:
        raise OptionError(EXPECTED)
    if region and not table and not _OF_AWS.fullmatch(region):
        raise OptionError(f"{EXPECTED}; it names no table, and what stands there is no region")
    if len({name for name, _ in pairs}) < len(pairs):
        raise OptionError("option 'url' names an option twice")
    return {"region": region, "table": table, **dict(pairs)}


def _pairs(query: str) -> list[tuple[str, str]]:
    """Read `option=value&...`; a plus is a plus, for keys in base64 are full of them."""
    try:
        pairs = urllib.parse.parse_qsl(
            query.replace("+", "%2B"), keep_blank_values=True, strict_parsing=bool(query)
        )
    except ValueError:
        pairs = [("", "")]
    if not all(name for name, _ in pairs):
        raise OptionError(EXPECTED)
    return pairs
