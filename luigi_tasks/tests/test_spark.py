"""Luigi's tasks on a real standalone Spark: the same files as on one machine, numbers as DuckDB counts them, failures named."""

import datetime as dt
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator

import duckdb
import pytest
from cluster import WITHOUT, Cluster, spark_home
from servers import PATIENCE, Luigid, Moto
from tweets import FIRST, HOURS
from world import INGEST, ROOT, World, clean_environment, text

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600), pytest.mark.skipif(bool(WITHOUT), reason=WITHOUT or "there is Spark")]

STOP = HOURS[-1] + dt.timedelta(hours=1)
SPAN = ["--start", text(FIRST), "--stop", text(STOP)]
# Five past the end of the first hour, as luigi's ranges take the present.
SIX = int((HOURS[1] + dt.timedelta(minutes=5)).replace(tzinfo=dt.UTC).timestamp())
# What docs/spark.md types into a shell.
PAGE = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs/spark.md").read_text(), re.MULTILINE | re.DOTALL)
# A program that a test starts, with all of Spark's machinery.
LONG = 2 * PATIENCE


@pytest.fixture(scope="module")
def cluster(moto: Moto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster"), {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}) as cluster:
        yield cluster


def files_of(folder: pathlib.Path) -> dict[str, bytes]:
    """What is in a folder, without the hidden one by which a folder is written to."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(".")}


def converted_alone(world: World, folder: pathlib.Path, *more: str) -> dict[str, bytes]:
    """The same hours by `ingest convert`."""
    variables = world.moto.variables() if world.moto else {}
    command = [str(INGEST), "convert", "--lake", world.lake, "--to", str(folder), *more]
    subprocess.run(command, env=clean_environment(variables), check=True, capture_output=True, timeout=PATIENCE)
    return files_of(folder)


def test_hours_that_a_cluster_converts_are_byte_by_byte_those_of_one_machine(world_s3: World, cluster: Cluster, luigid: Luigid) -> None:
    code, said = world_s3.luigi("ConvertHours", *SPAN, luigid=luigid, more=cluster.configuration(ui=True))
    assert code == 0, said
    (task,) = luigid.tasks("DONE").values()
    assert task["tracking_url"].startswith("http://")
    assert task["tracking_url"].rsplit(":", 1)[1].isdigit()
    assert world_s3.moto is not None
    client, bucket = world_s3.moto.client(), world_s3.parquet.split("/")[2]
    there = {
        found["Key"].removeprefix("parquet/"): client.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
        for found in client.list_objects_v2(Bucket=bucket)["Contents"]
    }
    alone = converted_alone(world_s3, world_s3.folder / "alone")
    assert there.keys() == alone.keys()
    assert [name for name in alone if there[name] != alone[name]] == []
    assert f'cauce_task_tweets_total{{family="ConvertHours"}} {400.0 * len(HOURS)}' in luigid.get("/metrics")
    code, said = world_s3.luigi("ConvertHours", *SPAN, more=cluster.configuration())
    assert code == 0, said
    assert "Running command" not in said


def test_an_hour_that_fails_is_named_and_keeps_no_other_back(world: World, cluster: Cluster) -> None:
    lake = world.folder / "lake"
    shutil.copytree(world.lake, lake)
    (damaged,) = (lake / f"{HOURS[1]:%m-%d-%H}").glob("tweets.*")
    damaged.write_bytes(damaged.read_bytes()[:1000])
    world.lake = str(lake)
    keys = "[s3]\naws_access_key_id = PLANTED1\naws_secret_access_key = PLANTED2\n"
    code, said = world.luigi("ConvertHours", *SPAN, more=keys + cluster.configuration())
    assert code == 30, said
    assert f"1 hours failed: {text(HOURS[1])}: " in said
    assert damaged.name in said
    assert "PLANTED" not in said
    there = {path.parent.name for path in pathlib.Path(world.parquet).rglob("_SUCCESS")}
    assert there == {f"hour={hour:%H}" for hour in (HOURS[0], HOURS[2])}


def test_an_hour_that_is_not_closed_is_waited_for(world: World, cluster: Cluster) -> None:
    later = ["--start", text(FIRST), "--stop", text(STOP + dt.timedelta(hours=1))]
    code, said = world.luigi("ConvertHours", *later, more=cluster.configuration())
    assert code == 20, said
    assert f"hour {text(STOP)} is not closed" in said
    assert not pathlib.Path(world.parquet).exists()


def test_the_numbers_of_an_hour_are_those_that_duckdb_counts(world: World, cluster: Cluster) -> None:
    code, said = world.luigi("HourlySummary", "--hour", text(FIRST), more=cluster.configuration())
    assert code == 0, said
    numbers = json.loads(pathlib.Path(world.reports, f"hourly/date={FIRST:%Y-%m-%d}/hour={FIRST:%H}.json").read_text())
    table = f"from read_parquet('{world.parquet}/*/hour={FIRST:%H}/tweets.parquet')"
    counted = duckdb.execute(f"select count(*), count(distinct author_id) {table}").fetchone()
    assert (numbers["hour"], numbers["tweets"], numbers["authors"]) == (text(FIRST), *(counted or ()))
    for name, column in (("languages", "lang"), ("kinds", "tweet_type")):
        wanted = duckdb.execute(f"select {column}, count(*) n {table} group by 1 order by n desc, 1").fetchall()
        assert [tuple(row.values()) for row in numbers[name]] == wanted
    tags = f"select distinct tweet_id, unnest(list_transform(hashtags, lambda x: lower(x.tag))) tag {table}"
    wanted = duckdb.execute(f"select tag, count(*) n from ({tags}) group by 1 order by n desc, 1 limit 10").fetchall()
    assert [tuple(row.values()) for row in numbers["hashtags"]] == wanted
    assert sum(row["tweets"] for row in numbers["languages"]) == 400
    assert world.luigi("HourlySummary", "--hour", text(FIRST), more=cluster.configuration())[1].count("Running command") == 0


def typed(world: World, cluster: Cluster, lines: str) -> str:
    """What lines say that are typed into a shell, in the repository's folder, on the cluster; they must succeed."""
    places = {"s3://my-bucket/tweets": world.lake, "s3://my-bucket/parquet": world.parquet, "spark://my-master:7077": cluster.url}
    for place, ours in places.items():
        lines = lines.replace(place, ours)
    assert "my-" not in lines
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    defaults = str(cluster.defaults(world.folder / "conf"))
    variables = {"PATH": path, "SPARK_CONF_DIR": defaults, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run(
        ["sh", "-ec", lines],
        env=clean_environment({**variables, **(world.moto.variables() if world.moto else {})}),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_line_of_the_page_for_spark_submit_converts_the_hours_of_its_range(world_s3: World, cluster: Cluster) -> None:
    (lines,) = (block for block in PAGE if "spark-submit" in block)
    said = typed(world_s3, cluster, lines)
    assert f"{len(HOURS)} of {len(HOURS)} hours made, {400 * len(HOURS)} tweets, 0 rejects" in said


def test_by_hand_only_the_hours_and_columns_that_are_named_are_converted(world: World, cluster: Cluster) -> None:
    columns = "tweet_id,author.username,hashtags.tag"
    job = "luigi_tasks/src/luigi_tasks/jobs/convert.py"
    span = f"--start {text(HOURS[1])} --end {text(STOP)}"
    said = typed(
        world, cluster, f"spark-submit --master {cluster.url} {job} --lake {world.lake} --to {world.parquet} {span} --columns {columns}"
    )
    assert f"2 of 2 hours made, 800 tweets, 0 rejects, {sum(map(len, files_of(pathlib.Path(world.parquet)).values()))} bytes" in said
    alone = world.folder / "alone"
    wanted = converted_alone(world, alone, "--columns", columns, f"{text(HOURS[1])}..{text(STOP)}")
    assert len(wanted) == 4
    assert files_of(pathlib.Path(world.parquet)) == wanted


def test_the_lines_of_the_page_for_luigi_do_what_they_say(world: World, cluster: Cluster) -> None:
    (lines,) = (block for block in PAGE if "luigi --module" in block)
    convert, count = (shlex.split(line) for line in lines.splitlines())
    for words, more in ((convert, []), (count, ["--now", str(SIX)])):
        assert words[:3] == ["luigi", "--module", "luigi_tasks"]
        code, said = world.luigi(*words[3:], *more, more=cluster.configuration())
        assert code == 0, said
    there = {folder.parent.name for folder in pathlib.Path(world.parquet).rglob("_SUCCESS")}
    assert there == {f"hour={hour:%H}" for hour in HOURS}
    assert [path.stem for path in pathlib.Path(world.reports, "hourly").rglob("*.json")] == [f"hour={FIRST:%H}"]


def test_what_the_readme_types_into_a_shell_on_a_cluster_answers(world_s3: World, cluster: Cluster) -> None:
    readme = (ROOT / "README.md").read_text().split("## Spark")[1].split("\n## ")[0]
    shell, lines = readme.split("```")[1], readme.split("```python\n")[1].split("```")[0]
    assert shell.split()[:2] == ["pyspark", "--master"]
    assert world_s3.moto is not None
    lines = lines.replace("s3://my-bucket/tweets", world_s3.lake)
    variables = {**world_s3.moto.variables(), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    variables["PYSPARK_DRIVER_PYTHON_OPTS"] = "-i"  # as at a terminal, which standard input is not here
    conf = [part for name in ("spark.ui.enabled=false", "spark.executor.memory=512m") for part in ("--conf", name)]
    done = subprocess.run(
        [str(spark_home() / "bin/pyspark"), "--master", cluster.url, "--driver-memory", "1g", *conf],
        input=lines + "\nprint('ended', sorted(map(tuple, counted.collect())))\n",
        env=clean_environment(variables),
        cwd=world_s3.folder,
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    archive = world_s3.folder / "alone"
    converted_alone(world_s3, archive)
    query = f"select lang, count(*) from read_parquet('{archive}/*/*/tweets.parquet') group by 1 order by 1"
    assert f"ended {duckdb.execute(query).fetchall()}" in done.stdout, done.stdout + done.stderr
