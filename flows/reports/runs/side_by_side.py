"""Work on several runs at a time, in threads of this process.

Reads and writes what the work does. Each thread has a copy of the caller's context, so that tasks belong
to its flow run.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import TypeVar

R = TypeVar("R")
POLL_SECONDS = 60.0


def side_by_side(
    work: Callable[[int], R],
    ids: Iterable[int],
    *,
    more: Callable[[R], Iterable[int]],
    poll: Callable[[], Iterable[int]],
    threads: int,
) -> Iterator[R]:
    """Yield the results of the work in the order in which they are ready.

    Args:
        work: Is called with one id at a time, in one of the threads.
        ids: What to work on.
        more: Returns further ids that follow from a result.
        poll: Returns further ids; is called every `POLL_SECONDS` in which nothing became ready.
        threads: Maximum number of calls at a time.

    Raises:
        BaseException: the first error of the work; what has not started is left undone.
    """
    todo: SimpleQueue[int | None] = SimpleQueue()
    done: SimpleQueue[R | _Error] = SimpleQueue()
    pending = _put_all(todo, ids)
    workers = [_start(work, todo, done) for _ in range(threads if pending else 0)]
    try:
        while pending:
            try:
                result = done.get(timeout=POLL_SECONDS)
            except Empty:
                pending += _put_all(todo, poll())
                continue
            if isinstance(result, _Error):
                raise result.error
            pending += _put_all(todo, more(result)) - 1
            yield result
    finally:
        _drain(todo)
        for _ in workers:
            todo.put(None)


class _Error:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def _put_all(todo: "SimpleQueue[int | None]", ids: Iterable[int]) -> int:
    count = 0
    for count, each in enumerate(ids, 1):  # noqa: B007  # the last one is the number of ids
        todo.put(each)
    return count


def _drain(todo: "SimpleQueue[int | None]") -> None:
    while not todo.empty():
        todo.get()


def _start(
    work: Callable[[int], R], todo: "SimpleQueue[int | None]", done: "SimpleQueue[R | _Error]"
) -> threading.Thread:
    context = copy_context()
    thread = threading.Thread(
        target=lambda: context.run(_work, work, todo, done), name="report", daemon=True
    )
    thread.start()
    return thread


def _work(
    work: Callable[[int], R], todo: "SimpleQueue[int | None]", done: "SimpleQueue[R | _Error]"
) -> None:
    while (each := todo.get()) is not None:
        try:
            done.put(work(each))
        except BaseException as error:  # noqa: BLE001  # the caller raises it
            done.put(_Error(error))
