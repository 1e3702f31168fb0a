"""One process that reads inputs for one target, under limits of memory and CPU time.

Before it reads an input it writes it into a shared file, so that the parent can say which input
has crashed it or hung. Its last line of output is its report, as JSON.
"""

from __future__ import annotations

import argparse
import base64
import json
import logging
import mmap
import random
import resource
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import seed as use_seed
from hypothesis import strategies as st

from tests.fuzz.mutation import MAX_SIZE, TOKENS, generate, mutate
from tests.fuzz.targets import TARGETS, Target, forbid_imports_of_pickles

MB = 1024 * 1024
#: Python with boto3 and Hypothesis takes some 250 MB of addresses before it begins.
MEMORY = 512 * MB
#: CPU seconds that one input may take. Any one of them is read in a few milliseconds.
MAX_INPUT_SECONDS = 2.0
#: The number of the input and its size precede it in the shared file.
HEADER = 12


@dataclass
class Fault:
    """What an input has done that is not allowed."""

    error: str
    place: str
    input: str
    count: int = 1


@dataclass
class Report:
    """How many inputs were tried, how many of them could be read, and faults."""

    target: str
    inputs: int = 0
    read: int = 0
    slowest: float = 0.0
    cpu: float = 0.0
    peak_mb: int = 0
    faults: dict[str, Fault] = field(default_factory=dict)

    def add(self, error: str, place: str, data: bytes) -> None:
        """Add a fault; of several at one place the shortest input is kept."""
        known = self.faults.setdefault(f"{error} {place}", Fault(error, place, _to_text(data), 0))
        known.count += 1
        if len(_to_text(data)) < len(known.input):
            known.input = _to_text(data)


class FormattingHandler(logging.Handler):
    """Formats what is logged, which may fail, and drops it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


class Reader:
    """Reads inputs, and takes notes."""

    def __init__(self, target: Target, shared: Path) -> None:
        self.target = target
        self.report = Report(target.name)
        with shared.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), HEADER + 2 * MAX_SIZE)

    def read(self, data: bytes) -> None:
        """Read one input; an exception that is not allowed is noted."""
        report, data = self.report, data[: 2 * MAX_SIZE]
        report.inputs += 1
        header = report.inputs.to_bytes(8, "big") + len(data).to_bytes(4, "big")
        self._shared[: HEADER + len(data)] = header + data
        began = time.process_time()
        try:
            report.read += self.target.read(data)
        except Exception as error:  # noqa: BLE001  # that is what is looked for
            report.add(type(error).__name__, _find_place(error), data)
        seconds = time.process_time() - began
        report.slowest = max(report.slowest, seconds)
        if seconds > MAX_INPUT_SECONDS:
            report.add(f"more than {MAX_INPUT_SECONDS} s", "", data)


def _find_place(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"


def _to_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def read_examples(reader: Reader, corpus: Sequence[bytes], count: int, seed: int) -> None:
    """Read *count* examples of hypothesis: bytes, tokens, and parts of the corpus between them."""
    part = st.tuples(st.sampled_from(corpus), st.integers(0, 200), st.integers(0, 200)).map(
        lambda drawn: drawn[0][drawn[1] : len(drawn[0]) - drawn[2]]
    )
    pieces = st.one_of(st.sampled_from(TOKENS), st.binary(max_size=20), part)
    mutations = st.tuples(st.sampled_from(corpus), st.sampled_from(corpus), st.integers()).map(
        lambda drawn: mutate(drawn[0], drawn[1], random.Random(drawn[2]))
    )
    inputs = st.one_of(st.binary(max_size=200), st.lists(pieces, max_size=9).map(b"".join))

    @use_seed(seed)
    @settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(data=inputs | mutations)
    def read(data: bytes) -> None:
        reader.read(data)

    read()


def main(argv: Sequence[str]) -> None:
    """Read mutations and examples under the limits, and print the report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=TARGETS)
    for name in ("mutations", "examples", "seed", "cpu_seconds"):
        parser.add_argument(name, type=int)
    parser.add_argument("shared", type=Path)
    chosen = parser.parse_args(argv)
    logging.getLogger().addHandler(FormattingHandler())
    target = TARGETS[chosen.target]
    corpus = target.corpus()
    sys.addaudithook(forbid_imports_of_pickles)
    reader = Reader(target, chosen.shared)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (chosen.cpu_seconds, chosen.cpu_seconds))
    for data in generate(corpus, chosen.mutations, chosen.seed):
        reader.read(data)
    if chosen.examples:
        read_examples(reader, corpus, chosen.examples, chosen.seed)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    reader.report.cpu = usage.ru_utime + usage.ru_stime
    reader.report.peak_mb = usage.ru_maxrss // 1024
    print(json.dumps(asdict(reader.report)))


if __name__ == "__main__":
    main(sys.argv[1:])
