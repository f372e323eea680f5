"""What docs/luigi.md shows is run, and its tables hold what there is."""

import re
import shlex

import luigi
from world import ROOT, World

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


def test_the_page_names_every_setting_and_no_other() -> None:
    table = TEXT.split("## Settings")[1].split("## ")[0]
    named = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert named == {name for name, _ in cauce.get_params()}


def test_the_example_configuration_sets_what_luigi_and_we_know() -> None:
    text = (ROOT / "luigi_tasks/examples/luigi.cfg").read_text()
    for block in blocks("ini"):
        for line in block.splitlines():
            assert line in text or "=" not in line, f"{line!r} is not in the example"
    known = {name for name, _ in cauce.get_params()}
    section = re.split(r"\n(?:# )?\[", text.split("[cauce]")[1])[0]
    assert {line.lstrip("# ").split(" = ")[0] for line in section.splitlines() if " = " in line} <= known
    assert issubclass(cauce, luigi.Config)
