"""The command line in a process of its own: as a module, and without what it needs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def python(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run a Python of its own in the checkout."""
    return subprocess.run(
        [sys.executable, *argv], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_runs_as_a_module() -> None:
    """`python -m beaker_dynamodb` answers on stdout and by its exit code."""
    good = python("-m", "beaker_dynamodb", "policy", "app")
    bad = python("-m", "beaker_dynamodb", "policy", "app", "-o", "tabel=x")

    assert (good.returncode, good.stderr) == (0, "")
    assert json.loads(good.stdout)["Version"] == "2012-10-17"
    assert (bad.returncode, bad.stdout) == (2, "")


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_click_it_says_which_extra_to_install(missing: str) -> None:
    """An installation without the extra prints what to install, not a traceback."""
    done = python(
        "-c",
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from beaker_dynamodb.__main__ import main\n"
        "sys.exit(main(['--help']))",
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"beaker-dynamodb: the command line needs {missing}: pip install 'beaker-dynamodb[cli]'\n"
    )


def test_another_module_that_is_missing_is_not_called_click() -> None:
    """A broken installation must not be explained by the wrong extra."""
    done = python(
        "-c",
        "import sys; sys.modules['beaker_dynamodb.provisioning.iam'] = None\n"
        "from beaker_dynamodb.__main__ import main\n"
        "sys.exit(main(['--help']))",
    )

    assert done.returncode == 1
    assert "beaker_dynamodb.provisioning.iam" in done.stderr
    assert "cli" not in done.stderr.splitlines()[-1]


def test_an_interruption_while_it_starts_is_no_traceback() -> None:
    """The imports take a fraction of a second, in which Ctrl-C is likely after a typing mistake."""
    done = python(
        "-c",
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'beaker_dynamodb.provisioning.iam':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from beaker_dynamodb.__main__ import main\n"
        "sys.exit(main(['policy', 'app']))",
    )

    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "beaker-dynamodb: interrupted\n"


def test_a_policy_costs_no_boto3() -> None:
    """What needs no network starts without the third of a second that boto3 takes."""
    done = python(
        "-c",
        "import sys\n"
        "from beaker_dynamodb.__main__ import main\n"
        "main(['policy', 'app'])\n"
        "sys.exit('boto3' in sys.modules)",
    )

    assert done.returncode == 0


@pytest.mark.parametrize("entered", ["a module", "the console script"])
def test_a_signal_while_it_starts_is_no_traceback(entered: str) -> None:
    """A real SIGINT, in the middle of the imports: a shell reports 130, by a code or the signal."""
    start = {
        "a module": "import runpy; runpy.run_module('beaker_dynamodb', None, '__main__', True)",
        "the console script": "from beaker_dynamodb.__main__ import main; sys.exit(main())",
    }
    done = python(
        "-c",
        "import os, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'beaker_dynamodb.provisioning.iam':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        f"sys.argv = ['beaker-dynamodb', 'policy', 'app']\n{start[entered]}",
    )

    assert done.returncode in {130, -signal.SIGINT}
    assert (done.stdout, done.stderr) == ("", "beaker-dynamodb: interrupted\n")
