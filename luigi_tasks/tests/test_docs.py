"""What docs/luigi.md shows is run, and its tables hold what there is."""

import datetime as dt
import os
import pathlib
import re
import shlex
import subprocess
import sys

import luigi
from cauce import LakeOptions
from servers import PATIENCE, Luigid
from tweets import FIRST, HOURS
from world import ROOT, World, clean_environment

from luigi_tasks.settings import cauce

TEXT = (ROOT / "docs/luigi.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_page_do_what_they_say(world: World) -> None:
    (module,) = blocks("python")
    (world.folder / "mytasks.py").write_text(module)
    commands = [shlex.split(line) for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) == 4
    for program, option, name, *rest in commands:
        assert (program, option) == ("luigi", "--module")
        code, said = world.luigi(*[part for part in rest if part != "--local-scheduler"], module=name)
        assert code == 0, said
    assert (world.folder / "busiest/2026-11-22T05.json").stat().st_size > 100
    assert (world.folder / "reports/2026-11-22T05_2026-11-22T08/index.html").exists()


def test_the_line_for_cron_converts_what_the_hour_before_closed(world: World, luigid: Luigid) -> None:
    block = TEXT.split("## Every hour, by itself")[1].split("```")[1].strip()
    server, cron = block.splitlines()[0], block.splitlines()[-1]
    assert server == "luigid --port 8082"
    world.configure(luigid)
    # Cron asks at five past eight, which is when the test's lake ends.
    begun = cron.split(None, 5)[5].replace("/srv/tweets", str(world.folder)) + f" --now {at_five_past(8)}"
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", begun],
        env=clean_environment({"PATH": path}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    there = {folder.parent.name for folder in pathlib.Path(world.parquet).rglob("_SUCCESS")}
    assert there == {f"hour={hour:%H}" for hour in HOURS}
    assert {"RangeHourly", "ParquetHour"} <= {task["name"] for task in luigid.tasks("DONE").values()}


def test_the_line_for_days_waits_for_the_hours_that_are_not_closed(world: World) -> None:
    (line,) = re.findall(r"`(RangeDaily [^`]+)`", TEXT)
    code, said = world.luigi(*shlex.split(line), "--now", str(at_five_past(24)))
    assert code == 20, said
    assert "hour 2026-11-22T04 is not closed" in said
    assert len(list(pathlib.Path(world.parquet).rglob("_SUCCESS"))) == len(HOURS)


def at_five_past(hour: int) -> int:
    """A moment of the first day, as luigi's ranges take the present."""
    day = dt.datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=dt.UTC)
    return int((day + dt.timedelta(hours=hour, minutes=5)).timestamp())


def test_the_page_names_every_setting_and_no_other() -> None:
    table = TEXT.split("## Settings")[1].split("## ")[0]
    named = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert named == {name for name, _ in cauce.get_params()} - {name for name, _, _ in LakeOptions.known()}


def test_the_example_configuration_sets_what_luigi_and_we_know() -> None:
    text = (ROOT / "luigi_tasks/examples/luigi.cfg").read_text()
    for block in blocks("ini"):
        for line in block.splitlines():
            assert line in text or "=" not in line, f"{line!r} is not in the example"
    known = {name for name, _ in cauce.get_params()}
    section = re.split(r"\n(?:# )?\[", text.split("[cauce]")[1])[0]
    assert {line.lstrip("# ").split(" = ")[0] for line in section.splitlines() if " = " in line} <= known
    assert issubclass(cauce, luigi.Config)
