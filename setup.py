"""Build the package: its name, requirements and entry points."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

# Read as text, never imported: a build must not need Beaker.
VERSION = re.search(
    r'^__version__ = "([^"]+)"$',
    (HERE / "beaker_dynamodb" / "__init__.py").read_text(encoding="utf-8"),
    re.MULTILINE,
)
if VERSION is None:
    raise SystemExit('beaker_dynamodb/__init__.py has no line __version__ = "..."')

#: The public repository, in `owner/name`. Only the link in .github/ISSUE_TEMPLATE repeats it.
REPOSITORY = "beaker-dynamodb/beaker-dynamodb"
#: A release is read at its tag, a build of a checkout at the branch.
REVISION = "main" if "dev" in VERSION[1] else f"v{VERSION[1]}"
HOME = f"https://github.com/{REPOSITORY}"
PAGES = f"{HOME}/blob/{REVISION}/"


def read_description() -> str:
    """Return README with absolute links and pictures: PyPI shows it without the other files."""
    text = (HERE / "README.md").read_text(encoding="utf-8")
    pictures = f"https://raw.githubusercontent.com/{REPOSITORY}/{REVISION}/"
    text = re.sub(r"(!\[[^]]*\]\()(?!\w+:)", rf"\g<1>{pictures}", text)
    text = re.sub(r"(\]\()(?=#)", rf"\g<1>{PAGES}README.md", text)
    return re.sub(r"(\]\()(?!\w+:)", rf"\g<1>{PAGES}", text)


# Not moto's own extra `server`: it brings the other services' packages, 180 MB more. Its server
# needs Flask and flask-cors for DynamoDB alone.
EMBEDDED = ["moto[dynamodb]>=5", "flask>=2.2.2", "flask-cors>=3"]
CLI = ["click>=8.1", "rich>=13"]
MIGRATION = ["redis>=4", "sqlalchemy>=1.4"]
CRYPTO = ["cryptography>=41"]
FAST = ["isal>=1.5", "pybase64>=1.4"]

setup(
    name="beaker-dynamodb",
    version=VERSION[1],
    description="Beaker sessions and caches in DynamoDB: no lost logins, no lost updates.",
    long_description=read_description(),
    long_description_content_type="text/markdown",
    url=HOME,
    project_urls={
        "Documentation": f"{PAGES}docs/README.md",
        "Source": HOME,
        "Issues": f"{HOME}/issues",
        "Changelog": f"{PAGES}CHANGELOG.md",
    },
    author="The beaker_dynamodb authors",
    license_expression="MIT",
    license_files=["LICENSE"],
    keywords="beaker dynamodb session wsgi pyramid bottle turbogears aws",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Web Environment",
        "Framework :: Bottle",
        "Framework :: Flask",
        "Framework :: Pyramid",
        "Framework :: TurboGears",
        "Intended Audience :: Developers",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Internet :: WWW/HTTP :: Session",
        "Topic :: Internet :: WWW/HTTP :: WSGI :: Middleware",
        "Typing :: Typed",
    ],
    packages=find_packages(include=["beaker_dynamodb", "beaker_dynamodb.*"]),
    package_data={"beaker_dynamodb": ["py.typed"]},
    zip_safe=False,
    python_requires=">=3.10",
    install_requires=["beaker>=1.14", "boto3>=1.34"],
    extras_require={
        "embedded": EMBEDDED,
        "cli": CLI,
        "crypto": CRYPTO,
        "fast": FAST,  # compress = fast, and base64 in a twentieth of the time
        "migration": MIGRATION,  # to import sessions from ext:redis and ext:database
        "testing": [*EMBEDDED, "pytest>=8.1"],  # beaker_dynamodb.testing
        # All that an application can use; `testing` would bring pytest to it.
        "all": [*EMBEDDED, *CLI, *CRYPTO, *FAST, *MIGRATION],
    },
    entry_points={
        # Beaker looks for the literal name, "ext:" and all (beaker/cache.py:70-113).
        "beaker.backends": [
            "ext:dynamodb = beaker_dynamodb:DynamoDBNamespaceManager",
            "dynamodb = beaker_dynamodb:DynamoDBNamespaceManager",
        ],
        "console_scripts": ["beaker-dynamodb = beaker_dynamodb.__main__:main"],
        "paste.filter_factory": ["main = beaker_dynamodb.sessions.paste_filter:filter_factory"],
    },
)
