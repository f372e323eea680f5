"""Errors that a person can act on, as one sentence: Spark shows a worker's whole traceback otherwise.

A worker of Spark writes its traceback unless `SPARK_HIDE_TRACEBACK` is set when it tells of an error, and ends after it
has told. So the variable is set where such an error leaves the data source, in a process that has nothing else to tell.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

HIDE = "SPARK_HIDE_TRACEBACK"


@contextmanager
def one_sentence() -> Iterator[None]:
    """Has Spark show what refuses options and columns, and what `cauce` raises, without the traceback."""
    try:
        yield
    except Exception as error:
        # Others, such as pyarrow's own kinds of ValueError, are faults, for which the traceback is wanted.
        if type(error) is ValueError or type(error).__module__ == "cauce":
            os.environ[HIDE] = "1"
        raise
