# A Mako template whose page and parts are kept in DynamoDB.
import logging
from wsgiref.simple_server import make_server

from beaker.cache import CacheManager
from mako.lookup import TemplateLookup

log = logging.getLogger("news")

PAGE = """<%page cached="True" cache_timeout="30" cache_key="news-${lang}"/>
<!DOCTYPE html><html lang="${lang}"><title>${title}</title>
${latest()}
<%def name="latest()" cached="True" cache_timeout="300" cache_key="latest">
% for line in headlines():
  <li>${line}</li>
% endfor
</%def>"""

# endpoint_url = embedded is for now; in production a table and a region take its place.
caches = CacheManager(type="ext:dynamodb", endpoint_url="embedded", table="pages")
lookup = TemplateLookup(cache_impl="beaker", cache_args={"manager": caches}, default_filters=["h"])
lookup.put_string("/news", PAGE)


def headlines():
    log.warning("asking the database")
    return ["Table grows", "Key & lock found"]


def app(environ, start_response):
    lang, title = ("de", "Neues") if environ["PATH_INFO"] == "/de" else ("en", "News")
    page = lookup.get_template("/news").render(lang=lang, title=title, headlines=headlines)
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [page.encode()]


if __name__ == "__main__":
    make_server("127.0.0.1", 8080, app).serve_forever()
