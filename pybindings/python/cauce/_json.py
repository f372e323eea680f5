"""The JSON decoder whose scanner makes records: Python's own, without the constants that are no JSON."""

import json


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")


DECODER = json.JSONDecoder(parse_constant=_refuse)
