"""The event of one HTTP request for a Lambda function, in AWS's three formats.

The events are complete, as in AWS's documents.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

Event = dict[str, Any]
HOST: Final = "abcdef1234.execute-api.eu-central-1.amazonaws.com"
FORM: Final = "application/x-www-form-urlencoded"
#: AWS's page "Output format of a Lambda function for proxy integration"; "Lambda function URLs".
STAGE: Final = "prod"


def _headers(host: str, cookie: str | None, body: str) -> dict[str, str]:
    headers = {
        "accept": "text/html",
        "host": host,
        "user-agent": "Mozilla/5.0",
        "x-amzn-trace-id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
        "x-forwarded-for": "203.0.113.7",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    headers |= {"content-type": FORM, "content-length": str(len(body))} if body else {}
    return headers | ({"cookie": cookie} if cookie else {})


def rest(method: str, path: str, cookie: str | None = None, body: str = "") -> Event:
    """Return the event of a REST API's proxy integration: format 1.0, every header twice."""
    headers = _headers(HOST, cookie, body)
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": path.strip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "httpMethod": method,
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "Mozilla/5.0"},
            "path": f"/{STAGE}{path}",
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "requestTimeEpoch": 1583349317135,
            "resourceId": "123456",
            "resourcePath": "/{proxy+}",
            "stage": STAGE,
        },
        "body": body or None,
        "isBase64Encoded": False,
    }


def http_api(method: str, path: str, cookie: str | None = None, body: str = "") -> Event:
    """Write the event of an HTTP API: format 2.0, the cookies in a list of their own."""
    event = _format_2(method, path, HOST, None, body)
    return event | ({"cookies": cookie.split("; ")} if cookie else {})


def function_url(method: str, path: str, cookie: str | None = None, body: str = "") -> Event:
    """Write the event of a function URL: format 2.0, the cookies also as a header, a coded body."""
    host = "abcdef1234abcdef1234.lambda-url.eu-central-1.on.aws"
    event = _format_2(method, path, host, cookie, body)
    event |= {"cookies": cookie.split("; ")} if cookie else {}
    coded = base64.b64encode(body.encode()).decode()
    return event | ({"body": coded, "isBase64Encoded": True} if body else {})


def _format_2(method: str, path: str, host: str, cookie: str | None, body: str) -> Event:
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": _headers(host, cookie, body),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "Mozilla/5.0",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "10/Mar/2020:05:16:23 +0000",
            "timeEpoch": 1583817383220,
        },
        **({"body": body} if body else {}),
        "isBase64Encoded": False,
    }


SHAPES: Mapping[str, Callable[..., Event]] = {
    "a REST API": rest,
    "an HTTP API": http_api,
    "a function URL": function_url,
}


def cookies_set(answer: Mapping[str, Any]) -> list[str]:
    """Return the Set-Cookie lines of a function's answer, wherever its format has them."""
    found = list(answer.get("cookies", []))
    for name, value in answer.get("headers", {}).items():
        found += [value] if name.lower() == "set-cookie" else []
    for name, values in answer.get("multiValueHeaders", {}).items():
        found += values if name.lower() == "set-cookie" else []
    return found
