"""What sessions have in common: the preset dictionaries of the compression (`zlib`, "zdict").

A short session is mostly names that zlib sees for the first time. The deflater begins as if it had
already seen a dictionary, so these names take two or three bytes each. A row says by its number
which one it was (`codec.py`), and can be read only with exactly that one: its bytes never change. A
later release may add another; it may write that one only if the release before it can read it.
"""

from __future__ import annotations

import struct
from typing import Final

#: Names of keys and some values that web applications have in their sessions, the rarest first,
#: because what is nearer to the end takes fewer bits.
_WORDS: Final = (
    "title description created_at updated_at timestamp expires_in token_type scope Bearer"
    " refresh_token id_token access_token oauth_state state nonce code_verifier redirect_uri"
    " ip_address remote_addr user_agent device_id Mozilla/5.0 first_name last_name given_name"
    " family_name full_name display_name picture avatar_url phone address street postal_code city"
    " country timezone Europe/ America/ UTC en_US en-US de-DE fr-FR locale language lang currency"
    " EUR USD theme dark light filters sort order page per_page limit offset query search"
    " last_search recently_viewed history visited wishlist favorites coupon discount shipping"
    " payment_method total subtotal price quantity product_id sku item_id items basket cart_id"
    " cart count permissions groups roles role admin is_admin is_staff is_active"
    " is_authenticated authenticated logged_in last_login login_time last_seen last_visit"
    " next_url next return_to came_from referer url path http:// https://www. .com/ text/html"
    " info success warning error danger message messages level flash _flash_ _flash _flashes"
    " _messages _f_ csrf _csrf _csrf_token csrf_token _csrft_ csrf_secret_token"
    " email @example.com @gmail.com account_id tenant organization organisation company"
    " name username user_name uid userid user_id userId user auth.userid auth_user data value"
    " status type key id"
).split()
#: How protocol 2 of pickle writes what follows a key: numbers, lists, texts, dates.
_VALUES: Final = (
    b"cdecimal\nDecimal\nq\x10c__builtin__\nset\nq\x11]q\x12\x85q\x13Rq\x14"
    b"cdatetime\ndate\nq\x10cdatetime\ndatetime\nq\x10c_codecs\nencode\nq\x11"
    b"X\x06\x00\x00\x00latin1q\x12\x86q\x13Rq\x14\x85q\x15Rq\x16"
    b"NX\x88X\x89XK\x00XK\x01XK\x02XM\x00\x01J\x00\x00\x00\x00G@]q\x0c(]q\x0d}q\x0e(}q\x0f"
    b"u}q\x10(u"
    b"e]q\x11aX\x01\x00\x00\x00X\x02\x00\x00\x00X\x03\x00\x00\x00X\x04\x00\x00\x00"
    b"X\x20\x00\x00\x00X\x28\x00\x00\x00X\x40\x00\x00\x00"
)
#: How every session of Beaker begins: the keys that it sets itself.
_BEGINNING: Final = (
    b"\x80\x02}q\x00(X\x07\x00\x00\x00_domainq\x01NX\x05\x00\x00\x00_pathq\x02X\x01\x00\x00\x00/q\x03"
    b"X\x0e\x00\x00\x00_accessed_timeq\x04GA\xdaX\x0e\x00\x00\x00_creation_timeq\x05GA\xda"
)


def _make_first() -> bytes:
    keys = (b"X" + struct.pack("<I", len(word)) + word.encode() + b"q" for word in _WORDS)
    return b"".join(keys) + _VALUES + _BEGINNING


#: Each dictionary by its number. 0 is none.
DICTIONARIES: Final = {0: b"", 1: _make_first()}
#: What sessions are written with.
NEWEST: Final = 1
