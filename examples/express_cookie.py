"""Keeps the users of an Express application logged in, after its sessions were moved in.

    beaker-dynamodb import --from connect-dynamodb --from-option table=express-sessions ...

Express signs its cookie in another way than Beaker. This middleware stands before Beaker's: it
checks Express's signature, and hands Beaker a cookie of its own for the same session.
"""

import base64
import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import unquote

from beaker.session import SignedCookie


class ExpressCookie:
    def __init__(
        self,
        app,
        express_secret,
        beaker_secret=None,
        express_key="connect.sid",
        beaker_key="beaker.session.id",
    ):
        self.app = app
        self.express_secret = express_secret.encode()
        self.beaker_secret = beaker_secret  # the value of session.secret, if there is one
        self.express_key, self.beaker_key = express_key, beaker_key

    def __call__(self, environ, start_response):
        sent = environ.get("HTTP_COOKIE", "")
        sid = self.session_of(sent)
        if sid is not None:
            if self.beaker_secret is not None:
                _, sid = SignedCookie(self.beaker_secret).value_encode(sid)
            environ["HTTP_COOKIE"] = f"{sent}; {self.beaker_key}={sid}"
        return self.app(environ, start_response)

    def session_of(self, sent):
        """Return the id in Express's cookie, if it is signed well and Beaker has sent none."""
        try:
            cookies = SimpleCookie(sent)
        except CookieError:
            return None
        if self.express_key not in cookies or self.beaker_key in cookies:
            return None
        # s:<sid>.<HMAC-SHA256 in base64, without its padding>, percent-encoded
        value = unquote(cookies[self.express_key].value).removeprefix("s:")
        sid, _, signature = value.rpartition(".")
        digest = hmac.new(self.express_secret, sid.encode(), hashlib.sha256).digest()
        right = base64.b64encode(digest).decode().rstrip("=")
        return sid if hmac.compare_digest(right.encode(), signature.encode()) else None
