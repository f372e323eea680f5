"""Which processors everybody may use: a peer whose threads cannot be limited is held to as many as the others have."""

import os

EVERY = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def hold_to(count: int) -> None:
    """This process, and so all it starts, to so many processors."""
    if EVERY:
        os.sched_setaffinity(0, set(sorted(EVERY)[:count]))


def let_go() -> None:
    """All processors again, for the server: it is not what is measured."""
    if EVERY:
        os.sched_setaffinity(0, EVERY)
