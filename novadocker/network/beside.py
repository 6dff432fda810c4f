# SPDX-License-Identifier: Apache-2.0
"""Does a part of a build in a thread beside the rest."""

import concurrent.futures
import contextlib
import threading
import typing

from oslo_context import context as oslo_context

from novadocker import errors

_Result = typing.TypeVar("_Result")


@contextlib.contextmanager
def run(function: typing.Callable[[], None], name: str) -> typing.Iterator[None]:
    """Call a function while the body runs; it has ended when this ends.

    :param name: of the thread
    :raises BaseException: what the body raised, or else what the function raised
    :raises errors.PlugFailed: the host has no thread for it
    """
    future = start(function, name)
    try:
        yield
    finally:
        concurrent.futures.wait([future])
    future.result()


def start(
    function: typing.Callable[[], _Result], name: str
) -> "concurrent.futures.Future[_Result]":
    """Call a function in a thread of its own.

    :param name: of the thread
    :returns: what it returned, or raised
    :raises errors.PlugFailed: the host has no thread for it
    """
    future: concurrent.futures.Future[_Result] = concurrent.futures.Future()
    context = oslo_context.get_current()

    def call() -> None:
        if context is not None:
            context.update_store()  # so that what it logs names the request
        try:
            future.set_result(function())
        except BaseException as e:
            future.set_exception(e)

    try:
        threading.Thread(target=call, name=name).start()
    except (RuntimeError, MemoryError) as e:
        raise errors.PlugFailed(f"the host cannot start a thread: {e}") from e
    return future
