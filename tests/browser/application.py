"""The application that gunicorn or waitress serves: an example, with the settings of a test.

The environment variable `BROWSER` holds the example's name and the changed settings, as JSON.
Nothing else is changed.
"""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from beaker.middleware import SessionMiddleware

from examples.devices.shared import SETTINGS

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(path: Path) -> ModuleType:
    """Import an example from its file."""
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def create_example(name: str, settings: dict[str, str]) -> Any:
    """Create the application of an example: a Python file, or one of Pyramid's ini files."""
    if name.endswith(".ini"):
        folder = EXAMPLES / "pyramid_app"
        ini = configparser.ConfigParser(interpolation=None)
        ini.read(folder / name)
        return load(folder / "app.py").main({}, **(dict(ini["app:main"]) | settings))
    if name.startswith("devices/"):
        SETTINGS.update(settings)
        return load(EXAMPLES / name).app
    module = load(EXAMPLES / name)
    own = {f"session.{key}": value for key, value in module.OPTIONS.items()}
    return SessionMiddleware(module.pages, own | settings, httponly=True)


if "BROWSER" in os.environ:
    orders = json.loads(os.environ["BROWSER"])
    application = create_example(orders["example"], orders["settings"])
