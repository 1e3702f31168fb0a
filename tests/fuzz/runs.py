"""Starts a worker for each target, and finds those that crash or hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.mutation import MAX_SIZE
from tests.fuzz.worker import HEADER, Fault, Report

ROOT = Path(__file__).parents[2]
#: Within so many seconds, and CPU seconds, a worker must have begun another input.
MAX_SILENCE, MAX_SILENT_CPU = 900.0, 20.0
#: CPU seconds of a worker: for its start, and for each input.
START_SECONDS, INPUT_SECONDS = 60, 0.02


def run_all(
    targets: Sequence[str], mutations: int, examples: int, seed: int, workers: int
) -> Iterator[Report]:
    """Yield the report of each target, in the given order."""
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(lambda target: run(target, mutations, examples, seed), targets)


def run(target: str, mutations: int, examples: int, seed: int) -> Report:
    """Run one target in a process of its own, and return its report."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        shared, output = Path(folder) / "input", Path(folder) / "output"
        shared.write_bytes(bytes(HEADER + 2 * MAX_SIZE))
        limit = START_SECONDS + int((mutations + examples) * INPUT_SECONDS)
        words = map(str, (mutations, examples, seed, limit))
        command = [sys.executable, "-m", "tests.fuzz.worker", target, *words, str(shared)]
        with output.open("wb") as file:
            worker = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )
            outcome = _wait(worker, shared)
        lines = output.read_text("utf-8", "replace").splitlines() or [""]
        if outcome == "exit code 0":
            return _parse_report(lines[-1])
        report = Report(target, *_read_shared(shared)[:1])
        report.add(outcome, lines[-1], _read_shared(shared)[1])
        return report


def _wait(worker: subprocess.Popen[bytes], shared: Path) -> str:
    """Wait until a worker ends; kill it if one input takes too long. Return its outcome."""
    count, changed, used = 0, time.monotonic(), 0.0
    while True:
        try:
            return f"exit code {worker.wait(timeout=1)}"
        except subprocess.TimeoutExpired:
            now, (current, _) = time.monotonic(), _read_shared(shared)
        if current != count:
            count, changed, used = current, now, _read_cpu(worker.pid)
        elif now - changed > MAX_SILENCE or _read_cpu(worker.pid) - used > MAX_SILENT_CPU:
            worker.kill()
            worker.wait()
            return "hangs"


def _read_cpu(process_id: int) -> float:
    """Return the CPU seconds of a process: on a busy machine the clock says little."""
    fields = Path(f"/proc/{process_id}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read_shared(shared: Path) -> tuple[int, bytes]:
    """Return the number and the bytes of the input that a worker reads or has read last."""
    content = shared.read_bytes()
    size = int.from_bytes(content[8:HEADER], "big")
    return int.from_bytes(content[:8], "big"), content[HEADER : HEADER + size]


def _parse_report(line: str) -> Report:
    fields = json.loads(line)
    faults = {place: Fault(**fault) for place, fault in fields.pop("faults").items()}
    return Report(**fields, faults=faults)
