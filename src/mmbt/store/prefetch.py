"""An iterator read ahead by a thread of its own, at most so many items, that always ends with its reader."""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["Prefetched"]

T = TypeVar("T")


class _End:
    def __init__(self, error: BaseException | None):
        self.error = error


class Prefetched(Generic[T]):
    """Iterate `source` through a thread; an error there is raised here, at its place.

    The thread ends with the source, at `close`, and when nobody refers to this iterator any more.
    """

    def __init__(self, source: Iterator[T], depth: int):
        self._queue: queue.Queue[T | _End] = queue.Queue(maxsize=depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=_pump, args=(source, self._queue, self._stop), name="mmbt-prefetch", daemon=True
        )
        self._finished = False
        self._finalizer = weakref.finalize(self, _drain, self._queue, self._stop)
        self._thread.start()

    def __iter__(self) -> Prefetched[T]:
        return self

    def __next__(self) -> T:
        if self._finished:
            raise StopIteration
        item = self._queue.get()
        if isinstance(item, _End):
            self._finished = True
            self._thread.join()
            if item.error is not None:
                raise item.error
            raise StopIteration
        return item

    def close(self) -> None:
        """Stop the thread and wait until it has ended; safe to call twice."""
        self._finished = True
        self._finalizer()
        self._thread.join()


def _pump(source: Iterator[T], out: queue.Queue[T | _End], stop: threading.Event) -> None:
    error: BaseException | None = None
    try:
        for item in source:
            if not _put(item, out, stop):
                break
            del item  # while the thread reads on, only the queue and the reader hold rows
    except BaseException as caught:  # handed over to the reader, whatever it is
        error = caught
    finally:
        getattr(source, "close", lambda: None)()
        _put(_End(error), out, stop)


def _put(item: T | _End, out: queue.Queue[T | _End], stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            out.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False


def _drain(out: queue.Queue[T | _End], stop: threading.Event) -> None:
    stop.set()
    with suppress(queue.Empty):
        while True:
            out.get_nowait()  # a thread waiting for room goes on and sees the flag
    with suppress(queue.Full):
        out.put_nowait(_End(None))  # a reader waiting elsewhere is woken
