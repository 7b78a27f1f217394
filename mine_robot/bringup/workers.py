"""Where independent pieces of work run: here, in processes of this machine, or on a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from operator import methodcaller
from typing import Any

from mine_robot.pipeline.loading import LoadError
from mine_robot.records.errors import RecordError

CONNECT_S = 10.0
Spread = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


@contextmanager
def workers(dask: str = "") -> Iterator[Spread]:
    """What applies a function to each item and gives the results in their order, like ``map``.

    ``dask`` is empty for processes of this machine, the address of a scheduler (``tcp://HOST:8786``), or ``local`` for a cluster on this
    machine. The workers of a cluster need this package and see the files under the same paths. Raises :class:`LoadError` if there is no
    such cluster, and :class:`RecordError` if a process of this machine dies.
    """
    if not dask:
        # Fresh processes, because those of a test or a console may hold threads.
        with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
            try:
                yield pool.map
            except BrokenProcessPool:
                raise RecordError("a process at work was killed, perhaps for want of memory") from None
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise LoadError("--dask needs Dask: pip install 'mine_robot[dask]'") from None
    try:
        cluster = LocalCluster(threads_per_worker=1, dashboard_address=None) if dask == "local" else None
        client = Client(cluster or dask, timeout=CONNECT_S)
    except (OSError, ValueError, TypeError) as error:
        raise LoadError(f"--dask {dask}: no scheduler there: {str(error) or type(error).__name__}") from None
    try:
        yield lambda work, items: map(methodcaller("result"), client.map(work, list(items), pure=False))
    finally:
        client.close()
        if cluster is not None:
            cluster.close()
