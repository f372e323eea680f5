"""A real standalone Spark on loopback: a master and a worker of the installed pyspark, on free ports."""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

from servers import until
from world import clean_environment

WITHOUT = "" if shutil.which("java") or os.environ.get("JAVA_HOME") else "Java is not installed"
if not WITHOUT and importlib.util.find_spec("pyspark") is None:
    WITHOUT = "pyspark is not installed"


def spark_home() -> pathlib.Path:
    """The folder of the pyspark package."""
    found = importlib.util.find_spec("pyspark")
    assert found is not None
    assert found.origin is not None
    return pathlib.Path(found.origin).parent


class Cluster:
    """The master and the worker. The environment given is the executors' own, keys included."""

    def __init__(self, folder: pathlib.Path, variables: dict[str, str]) -> None:
        self._folder = folder
        self._environment = clean_environment(
            {**variables, "SPARK_HOME": str(spark_home()), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
        )
        self._running: list[subprocess.Popen[bytes]] = []
        self.url = ""

    def _start(self, name: str, *arguments: str, says: str) -> str:
        log = self._folder / f"{name}.log"
        command = [str(spark_home() / "bin/spark-class"), f"org.apache.spark.deploy.{name}.{name.capitalize()}", *arguments]
        with log.open("wb") as file:
            process = subprocess.Popen(command, cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        self._running.append(process)

        def said() -> str:
            assert process.poll() is None, log.read_text()
            found = re.search(says, log.read_text(errors="replace"))
            return found.group(1) if found else ""

        return str(until(f"Spark's {name} is ready", said))

    def __enter__(self) -> "Cluster":
        try:
            free = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
            self.url = self._start("master", *free, says=r"Starting Spark master at (spark://\S+)")
            room = ["--cores", "2", "--memory", "1g", "--work-dir", str(self._folder / "work")]
            self._start("worker", *free, *room, self.url, says=r"(Successfully registered) with master")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running):
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def settings(self, ui: bool = False) -> dict[str, str]:
        """What a driver on this machine needs to know."""
        return {
            "spark.ui.enabled": str(ui).lower(),
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.port": "0",
            "spark.sql.shuffle.partitions": "2",
        }

    def configuration(self, ui: bool = False) -> str:
        """Luigi's section `[spark]` for this cluster."""
        pairs = "|".join(f"{name}={value}" for name, value in self.settings(ui).items())
        return f"[spark]\nmaster = {self.url}\ndriver-memory = 1g\nexecutor-memory = 512m\nconf = {pairs}\n"

    def defaults(self, folder: pathlib.Path) -> pathlib.Path:
        """A folder for `SPARK_CONF_DIR` with the same, for what is typed into a shell."""
        folder.mkdir()
        pairs = {**self.settings(), "spark.driver.memory": "1g", "spark.executor.memory": "512m"}
        (folder / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in pairs.items()))
        return folder
