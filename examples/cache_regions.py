# Functions whose results are kept in DynamoDB, in two of Beaker's cache regions.
import logging
from wsgiref.simple_server import make_server

from beaker.cache import CacheManager, cache_region, region_invalidate
from beaker.util import parse_cache_config_options

log = logging.getLogger("shop")

# endpoint_url = embedded is for now; in production it is dynamodb://eu-central-1/caches.
# A region inherits nothing from cache.*, so its url says everything.
URL = "dynamodb://us-east-1/caches?endpoint_url=embedded&range_key=part&serializer=json"
OPTIONS = {"cache.regions": "short, long"}
for region, seconds in ("short", "60"), ("long", "86400"):
    given = {"type": "ext:dynamodb", "url": URL, "expire": seconds}
    OPTIONS |= {f"cache.{region}.{name}": value for name, value in given.items()}
caches = CacheManager(**parse_cache_config_options(OPTIONS))


@cache_region("short", "prices")
def price(article):
    log.warning("asking the warehouse")
    return 100 * len(article)


@cache_region("long", "shops")
def shops():
    log.warning("reading the list of shops")
    return ["Ghent", "Bruges"]


def app(environ, start_response):
    if environ["REQUEST_METHOD"] == "POST":  # somebody has changed the price
        region_invalidate(price, None, "prices", "tea")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"Tea: {price('tea')} cents in {' and '.join(shops())}\n".encode()]


if __name__ == "__main__":
    make_server("127.0.0.1", 8080, app).serve_forever()
