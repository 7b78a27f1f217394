"""Every kind of hostile message, stack and silence, injected into running simulated missions and judged by what really happened.

``python benchmarks/gate_campaign.py --out DIR`` runs missions on the small field and strikes while the robot searches: messages that are
forged, empty, not finite, of the future, doubled, delayed, a flood, out of range in every field, cut and overlong, for every topic of
``ros/topics.py``, from a foreign node and (``insider``) from the stack's own publishers; second stacks; frozen nodes; silent drivers; an
emergency stop while the mission is frozen. A row passes only if no ground was called searched that the true head did not pass, no halo
went, no hazard was overlooked, the robot did not move farther than 0.1 m against its orders before an alarm, no node died, and the
records are readable. Exit code 1 if a row does not pass. Run it in a network namespace of its own; it uses domains from ``--domain`` on.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from gate_attacks import ATTACKS, Attack
from gate_session import Row, Session

SHARE = 8  # attacks a mission, as long as all go well
DOMAINS = 80
MOUTHS = ("stranger", "insider")
Work = tuple[str, tuple[str, ...]]  # a mouth, names of attacks
BY_NAME = {attack.name: attack for attack in ATTACKS}


def works(attacks: Sequence[Attack], mouths: Sequence[str]) -> Iterator[Work]:
    """Attacks that share a mission."""
    for kind in mouths:
        chosen = [attack for attack in attacks if kind in attack.mouths]
        shared = [attack.name for attack in chosen if not attack.alone]
        for begin in range(0, len(shared), SHARE):
            yield kind, tuple(shared[begin : begin + SHARE])
        for attack in chosen:
            if attack.alone:
                yield kind, (attack.name,)


def conduct(work: Work, out: Path, seed: int, domain: int, keep: bool, limit: float = math.inf) -> list[Row]:
    """One mission after another, until every attack of ``work`` has come or it is ``limit``; one that did harm ends its mission."""
    os.environ["ROS_DOMAIN_ID"] = str(domain)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    kind, names = work
    waiting, rows, again = list(names), list[Row](), set[str]()
    while waiting and time.time() < limit:
        folder = out / f"{kind}_{'_'.join(waiting[0].split())[:60].replace('/', '-').replace(':', '')}_{len(rows)}"
        shutil.rmtree(folder, ignore_errors=True)
        with Session(folder, seed, BY_NAME[waiting[0]].faults, kind) as session:
            while waiting and time.time() < limit:
                row = session.strike(BY_NAME[waiting[0]])
                print(line(row), flush=True)
                if not session.ended_well and len(session.rows) > 1 and row.name not in again:
                    again.add(row.name)  # the mission came to its end before: once more in a new one
                    session.rows.pop()
                    break
                waiting.pop(0)
                if row.faults or not session.alive or row.after != "goes on":
                    break
        rows += session.rows
        if session.rows:  # what came to light at the end of the mission
            print(f"     {session.rows[-1].name}: {'; '.join(session.rows[-1].faults) or 'stands'}", flush=True)
        if not keep and not any(row.faults for row in session.rows):
            shutil.rmtree(folder, ignore_errors=True)
    return rows


def line(row: Row) -> str:
    """A row for the terminal."""
    word = "FAIL" if row.faults else "ok  "
    seconds = "-" if row.seconds is None else f"{row.seconds:.2f} s"
    what = "; ".join(row.faults) or row.after
    return (
        f"{word} {row.mouth:8} {row.name:52} +{row.searched:5.2f} m² -{row.halo:4d} halo {row.unnoticed:4.2f}/{row.moved:4.2f} m "
        f"unsafe {row.unsafe:4.2f}  {seconds:>7} {row.reaction[:60]:60} | {what}"
    )


def entry(row: Row, seed: int) -> dict[str, object]:
    """A row for the documentation (``bringup/gate_page.py`` reads topic, attack, seconds and followed)."""
    early = row.seconds is not None and row.seconds < 0.0
    words = f"{row.reaction} (before it spoke)" if early else row.reaction
    if row.reaction == "none" and row.notes:
        words = row.notes[0][:200]  # e.g. why a second stack did not start
    told = "" if row.faults and words == "none" else words[:200]
    followed = "; ".join(filter(None, [*row.faults, told, row.after]))
    named = {
        "topic": (", ".join(row.topics) or "no topic") if len(row.topics) < 5 else "all",
        "attack": f"{row.name} ({row.mouth})",
        "followed": followed.replace("|", "/"),
    }
    values = {**asdict(row), "seconds": None if row.seconds is None else max(row.seconds, 0.0)}
    return {**named, **values, "faults": row.faults, "seed": seed}


def write(path: Path, rows: Sequence[Row], seed: int) -> None:
    """The result, a list of objects; rows of an earlier run stay where they were not repeated."""
    kept = {}
    if path.is_file():
        kept = {item["attack"]: item for item in json.loads(path.read_text(encoding="utf-8"))}
    kept.update({str(item["attack"]): item for item in (entry(row, seed) for row in rows)})
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([kept[attack] for attack in sorted(kept)], indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def main() -> int:
    """Attack and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="Folder for the runs; those that went well are removed.")
    parser.add_argument("--data", type=Path, help="JSON to write or renew, e.g. docs/data/gate_campaign.json.")
    parser.add_argument("--only", nargs="+", default=[], help="Attacks whose name contains one of these.")
    parser.add_argument("--mouths", nargs="+", choices=MOUTHS, default=MOUTHS)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--domain", type=int, default=20, help="The first of up to 80 domains.")
    parser.add_argument("--keep", action="store_true", help="Keep the runs that went well too.")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf, help="No further attack after so long.")
    parser.add_argument("--list", action="store_true", help="Print the names and end.")
    arguments = parser.parse_args()
    chosen = [attack for attack in ATTACKS if not arguments.only or any(part in attack.name for part in arguments.only)]
    if arguments.list:
        print("\n".join(f"{attack.name}  ({', '.join(attack.mouths)})" for attack in chosen))
        return 0
    if arguments.out is None:
        parser.error("--out is needed")
    arguments.out.mkdir(parents=True, exist_ok=True)
    began, rows = time.monotonic(), list[Row]()
    work = list(works(chosen, arguments.mouths))
    limit = time.time() + 60.0 * arguments.minutes
    with ProcessPoolExecutor(arguments.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        tasks = [
            pool.submit(
                conduct, item, arguments.out, arguments.seed, arguments.domain + index % DOMAINS, arguments.keep, limit
            )
            for index, item in enumerate(work)
        ]
        for task in as_completed(tasks):
            rows += task.result()
            if arguments.data:
                write(arguments.data, rows, arguments.seed)
    bad = [row for row in rows if row.faults]
    print(f"{len(rows)} attacks, {len(bad)} did harm, {(time.monotonic() - began) / 60:.0f} min")
    return 1 if bad or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
