"""Password hashes: few at a time, each takes a core and 64 MiB for a while."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from fieldpost.errors import Code, InputError, problem

T = TypeVar("T")


async def hashing(places: asyncio.Semaphore, work: Callable[[], T]) -> T:
    """Run work that makes or checks a hash, in a place.

    Raises:
        InputError: all are taken; whoever asked comes again in a moment.
    """
    if places.locked():
        raise InputError([problem(Code.SIGN_IN_BUSY, detail={"seconds": 2})])
    async with places:
        return await run_in_threadpool(work)
