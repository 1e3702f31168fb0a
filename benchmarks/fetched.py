"""Install the other stores once into an ignored folder: pinned packages of Python and of Node.

They are apart from the project's own environment. If something cannot be installed, the reason is
printed, and a run compares the others.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PYTHON: Final = (
    "aiodynamo==26.4",
    "aiohttp==3.14.5",
    "cachelib==0.17.0",
    "Flask==3.1.3",
    "Flask-Session==0.8.0",
    "mypy-boto3-dynamodb",  # Flask-Session imports it
    "pyramid==2.1",
    "pyramid-dynamodb-sessions==0.1.3",
    "python-memcached==1.62",
    "redis",
)
NODE: Final = (
    "@aws-sdk/client-dynamodb@3.1164.0",
    "connect-dynamodb@3.0.5",
    "express-session@1.19.0",
)


def install_python() -> Path | None:
    """Return the folder of the Python packages, for `sys.path`; None if they are not installed."""
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return _install("python", PYTHON, lambda folder: [*words, "--target", str(folder), *PYTHON])


def install_node() -> Path | None:
    """Return the folder that contains `node_modules`; None if it is not installed."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            print(f"left out: connect-dynamodb, because {program} is not installed")
            return None
    words = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--ignore-scripts"]
    return _install("node", NODE, lambda folder: [*words, "--prefix", str(folder), *NODE])


def _install(name: str, pins: tuple[str, ...], command: Callable[[Path], list[str]]) -> Path | None:
    """Install into a folder that is named after the versions, unless that was done before."""
    digest = hashlib.sha256("\n".join((sys.version, *pins)).encode()).hexdigest()[:12]
    folder = ROOT / ".cache" / "peers" / f"{name}-{digest}"
    done = folder / "complete"
    if done.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (ROOT / ".cache" / ".gitignore").write_text("*\n")
    (folder / "package.json").write_text("{}\n")
    result = subprocess.run(  # noqa: S603  # a list of words, written above
        command(folder), capture_output=True, text=True, check=False, cwd=folder
    )
    if result.returncode:
        lines = result.stderr.strip().splitlines() or ["no reason given"]
        print(f"left out: the packages of {name}, which cannot be installed: {lines[-1]}")
        return None
    done.touch()
    return folder
