"""Ini files of the shapes that public applications have, with this backend as their type.

Each is rebuilt from what such files have in common: their sections and prefixes, how they name
regions, and what is left over from the former backend. `%(here)s` is the file's folder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final


def make_nothing(_: object, **__: str) -> Callable[..., Any]:
    """Make the application of a file that is only read."""

    def answer(*_: object) -> Any:
        return []

    return answer


AKHET: Final = """
[app:main]
use = call:tests.frameworks.ini_shapes:make_nothing
session.type = ext:dynamodb
session.table = akhet
session.region = eu-west-1
session.key = demo
session.secret = 5f0c7d1b9a3e48262c1d7e90b4a8f356
cache.type = ext:dynamodb
cache.table = akhet-cache
cache.region = eu-west-1
cache.regions = pages, menus, tags
cache.pages.expire = 240
cache.menus.expire = 2
cache.tags.expire = 7200
"""

PYLONS_MEMORY_CACHE: Final = """
[app:main]
use = call:tests.frameworks.ini_shapes:make_nothing
session.type = ext:dynamodb
session.table = pylons
session.data_dir = %(here)s/var/data
session.lock_dir = %(here)s/var/lock
session.cookie_on_exception = true
cache.regions = fast, slow
cache.type = memory
cache.fast.expire = 90
cache.slow.expire = 900
"""

RHODECODE: Final = """
[DEFAULT]
debug = true
pdebug = false

[app:main]
use = call:tests.frameworks.ini_shapes:make_nothing
beaker.session.type = ext:dynamodb
beaker.session.table_name = db_session
beaker.session.sa.url = postgresql://web:pw@db.lan/sessions
beaker.session.sa.pool_recycle = 1800
beaker.session.sa.echo = false
beaker.session.key = rhodecode
beaker.session.secret = 5f0c7d1b9a3e48262c1d7e90b4a8f356
beaker.session.lock_dir = %(here)s/var/lock
beaker.session.timeout = 1209600
beaker.session.httponly = true
beaker.session.secure = false
beaker.cache.regions = long_term, queries
beaker.cache.long_term.type = memory
beaker.cache.long_term.expire = 28800
beaker.cache.queries.type = ext:dynamodb
beaker.cache.queries.table = rhodecode-cache
beaker.cache.queries.expire = 10
beaker.cache.queries.key_length = 256
"""

KALLITHEA: Final = """
[DEFAULT]
email_to = ops@example.com

[app:main]
use = call:tests.frameworks.ini_shapes:make_nothing
get trace_errors.error_email = email_to
cache_dir = %(here)s/var
session.type = ext:dynamodb
session.key = kallithea
session.secret = 5f0c7d1b9a3e48262c1d7e90b4a8f356
session.httponly = true
session.timeout = 5400
session.auto = false
session.sa.url = postgresql://web:pw@db.lan/sessions
session.table_name = db_session
beaker.cache.regions = short_term, long_term
beaker.cache.data_dir = %(here)s/var/cache
beaker.cache.lock_dir = %(here)s/var/lock
beaker.cache.short_term.type = ext:dynamodb
beaker.cache.short_term.expire = 60
beaker.cache.long_term.type = ext:dynamodb
beaker.cache.long_term.expire = 28800
"""

CKAN: Final = """
[DEFAULT]
debug = false

[app:main]
use = call:tests.frameworks.ini_shapes:make_nothing
cache_dir = %(here)s/var
beaker.session.key = ckan
beaker.session.secret = 5f0c7d1b9a3e48262c1d7e90b4a8f356
beaker.session.type = ext:dynamodb
beaker.session.url = cache.lan:11211
beaker.session.memcache_module = pylibmc
beaker.session.table = ckan
beaker.session.data_serializer = json
beaker.session.cookie_expires = true
beaker.session.save_accessed_time = true
beaker.session.timeout = 5400
"""

CKAN_COOKIE: Final = """
[app:main]
use = call:tests.frameworks.ini_shapes:make_nothing
beaker.session.type = cookie
beaker.session.validate_key = 5f0c7d1b9a3e48262c1d7e90b4a8f356
beaker.session.data_serializer = json
beaker.session.samesite = Lax
"""

TRACIM: Final = """
[DEFAULT]
basic.root = %(here)s
basic.secret = 5f0c7d1b9a3e48262c1d7e90b4a8f356
session.type = ext:dynamodb
session.url = redis://cache.lan/3
session.table = tracim
session.secret = %(basic.secret)s
session.lock_dir = %(basic.root)s/sessions_lock

[app:main]
use = call:tests.frameworks.ini_shapes:make_nothing

[app:webdav]
use = call:tests.frameworks.ini_shapes:make_nothing
"""

TURBOGEARS: Final = """
[DEFAULT]
debug = true
email_to = ops@example.com

[app:main]
use = call:tests.frameworks.ini_shapes:make_nothing
cache_dir = %(here)s/var
beaker.session.key = quickstart
beaker.session.secret = 5f0c7d1b9a3e48262c1d7e90b4a8f356
beaker.session.type = ext:dynamodb
beaker.session.table = quickstart
"""

TURBOGEARS_DEPLOYED: Final = """
[DEFAULT]
session.type = ext:dynamodb
session.table = staging

[app:base]
use = call:tests.frameworks.ini_shapes:make_nothing
session.key = site
cache.enabled = true
cache.type = ext:dynamodb
cache.table = site-cache

[app:main]
use = base
session.table = production
set session.region = eu-west-1
"""

VELRUSE: Final = """
[app:velruse]
use = call:tests.frameworks.ini_shapes:make_nothing
session.type = ext:dynamodb
session.table = velruse
session.region = eu-west-1
session.max_connections = 10
session.socket_timeout = 5
session.cookie_on_exception = true
store = redis
store.url = redis://cache.lan/4

[app:other]
use = call:tests.frameworks.ini_shapes:make_nothing

[composite:main]
use = egg:Paste#urlmap
/ = other
/velruse = velruse
"""

FILTER: Final = """
[filter:session]
use = call:tests.frameworks.ini_shapes:make_nothing
session.type = ext:dynamodb
session.url = dynamodb://eu-west-1/filtered?range_key=part
session.secret = 5f0c7d1b9a3e48262c1d7e90b4a8f356

[app:site]
use = call:tests.frameworks.ini_shapes:make_nothing

[pipeline:main]
pipeline = session site
"""

GLOBAL_URL: Final = """
[app:main]
use = call:tests.frameworks.ini_shapes:make_nothing
beaker.session.type = ext:dynamodb
beaker.session.table = sso
beaker.session.timeout = 5400
beaker.cache.type = ext:dynamodb
beaker.cache.url = dynamodb://eu-west-1/sso-cache
beaker.cache.regions = brief, hourly
beaker.cache.brief.expire = 5
beaker.cache.hourly.expire = 3600
"""

MAKO_CACHE: Final = """
[app:main]
use = call:tests.frameworks.ini_shapes:make_nothing
mako.cache_type = ext:dynamodb
cache.enabled = true
cache.type = ext:dynamodb
cache.table = templates
cache.lock_dir = %(here)s/lock
cache.expire = 60
"""

FORKED_LRU: Final = """
[app:main]
use = call:tests.frameworks.ini_shapes:make_nothing
cache.type = ext:dynamodb
cache.max_items = 100
cache.table = fork
cache.regions = lru
cache.lru.max_items = 50
cache.lru.table = lru
cache.lru.expire = 60
"""

MISSPELLED: Final = """
[app:main]
use = call:tests.frameworks.ini_shapes:make_nothing
session.type = ext:dynamodb
session.tabel = typed
session.time_out = 60
session.touch_after = 5m ; as in the manual
session.secret = 5f0c7d1b9a3e48262c1d7e90b4a8f356
"""

ENVIRONMENTS: Final = """
[DEFAULT]
session.key = site
session.prefix = site:

[app:shared]
use = call:tests.frameworks.ini_shapes:make_nothing
session.type = ext:dynamodb
session.table = shared

[app:main]
use = shared
session.prefix = own:
session.table = own
"""
