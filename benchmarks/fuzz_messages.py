"""Hostile messages for every topic: each must decode to a value that its table permits, or be refused. Exit code 1 on anything else.

    python benchmarks/fuzz_messages.py --count 1000000

Half of the messages are well-formed with hostile values, half are mutated, truncated or random bytes. They are decoded in a process of
their own, so that a crash within a library is caught as well.
"""

from __future__ import annotations

import argparse
import faulthandler
import resource
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter

import numpy as np
from hostile_messages import TEMPLATES, TYPES, Chooser, spoil, spoil_bytes, to_bytes, violation

from mine_robot.ros.checks import DecodeError
from mine_robot.ros.gate import GATE
from mine_robot.ros.wire import deserialiser

SLOW_S = 0.5  # one message that takes so long is a stall
MEMORY_MB = 1500


def fuzz(count: int, seed: int) -> int:
    """Decode ``count`` hostile messages; returns how many did something else than give a value or be refused."""
    warnings.simplefilter("error")  # a warning of numpy is a value that nobody checked
    random = np.random.default_rng(seed)
    numbers = iter(())

    def index(most: int) -> int:
        nonlocal numbers
        number = next(numbers, None)
        if number is None:
            numbers = iter(random.random(4096).tolist())
            number = next(numbers)
        return int(number * most)

    choose = Chooser(index)
    readers = {template.topic: deserialiser(template.topic.type_name) for template in TEMPLATES}
    sound = [TYPES.deserialize_cdr(template.data, template.topic.type_name) for template in TEMPLATES]
    kinds: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    slowest, began, wrong = 0.0, time.perf_counter(), 0
    for number in range(count):
        place = number % len(TEMPLATES)
        topic, data, decode = TEMPLATES[place]
        if number // len(TEMPLATES) % 2:
            data = spoil_bytes(data, choose)
        else:
            message = spoil(sound[place], choose)
            for _ in range(index(3)):
                message = spoil(message, choose)
            data = to_bytes(message)
        start = time.perf_counter()
        try:
            if len(data) > GATE[topic].bytes_max:
                raise DecodeError("too long")
            content = decode(readers[topic](data))
            words = violation(topic, content)
            kinds["taken"] += 1
        except DecodeError as error:
            words = "" if len(str(error).splitlines()) == 1 and len(str(error)) < 300 else f"says {error!s}"
            kinds["refused"] += 1
            refused[topic.name] += 1
        except Exception:
            words = traceback.format_exc()
        slowest = max(slowest, time.perf_counter() - start)
        if words:
            wrong += 1
            print(f"{topic.name}: {words}\n  {data[:400].hex()}", flush=True)
            if wrong >= 20:
                break
    seconds = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count} messages in {seconds:.0f} s: {kinds['taken']} within the table, {kinds['refused']} refused, {wrong} wrong"
    )
    print(f"slowest {1e3 * slowest:.0f} ms, memory {memory:.0f} MB")
    for name, number in sorted(refused.items()):
        print(f"  {name:24s} {number / (count / len(TEMPLATES)):6.1%} refused")
    return wrong + (slowest > SLOW_S) + (memory > MEMORY_MB)


def main() -> int:
    """Fuzz in a child process; the exit code says whether all went well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--here", action="store_true", help="in this process")
    arguments = parser.parse_args()
    if arguments.here:
        faulthandler.enable()
        return min(fuzz(arguments.count, arguments.seed), 1)
    words = [sys.executable, __file__, "--here", "--count", str(arguments.count), "--seed", str(arguments.seed)]
    code = subprocess.run(words, check=False).returncode
    if code < 0:
        print(f"the process died of signal {-code}")
    return min(abs(code), 1)


if __name__ == "__main__":
    sys.exit(main())
