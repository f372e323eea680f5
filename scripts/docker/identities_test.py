"""What the one-shot `secrets` makes and what docker-compose.yml mounts, without an engine: each user of the S3 server has keys of its own
and may write where it must and nowhere else.
"""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import re
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
URLS = {"LAKE_URL": "s3://cauce/tweets", "PARQUET_URL": "s3://cauce/parquet", "REPORTS_URL": "s3://cauce/reports"}
# Whose volume each service mounts.
MOUNTS = {"bucket": "setup", "ingest": "agent", "luigi_worker": "luigi", "worker": "spark"}


def allows(actions: list[str], action: str, bucket: str, key: str) -> bool:
    """Whether SeaweedFS lets an identity with these actions do it: an action alone, one of a bucket, or of all keys that begin so."""
    target = f"{action}:{bucket}/{key}"
    return any(
        allowed in ("Admin", action, f"{action}:{bucket}") or (allowed.endswith("*") and target.startswith(allowed[:-1])) for allowed in actions
    )


class Identities(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for place in ("x", "s3", "cluster", "setup", "agent", "luigi", "spark", "given"):
            (self.root / place).mkdir()

    def make(self, **variables: str) -> None:
        loader = importlib.machinery.SourceFileLoader("secrets_of_compose", str(ROOT / "docker-images/ingest/secrets"))
        script = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
        loader.exec_module(script)
        script.ROOT, script.GIVEN = self.root, self.root / "given"
        said = io.StringIO()
        with mock.patch.dict(os.environ, URLS | variables), contextlib.redirect_stdout(said):
            script.main()
        kept = [path.read_text().strip() for path in self.root.glob("s3/*_*")]
        self.assertFalse([secret for secret in kept if secret in said.getvalue()], "a secret was printed")

    def identities(self) -> dict[str, list[str]]:
        made = json.loads((self.root / "s3/s3.json").read_text())
        accounts = {account["id"] for account in made["accounts"]}
        self.assertTrue(all(identity["account"]["id"] in accounts for identity in made["identities"]))
        return {identity["name"]: identity["actions"] for identity in made["identities"]}

    def test_each_user_may_write_where_it_must_and_nowhere_else(self) -> None:
        self.make()
        actions = self.identities()
        writes = {"agent": ["tweets"], "luigi": ["parquet", "parquet-rejects", "reports"], "spark": ["parquet", "parquet-rejects"]}
        self.assertEqual(set(actions), {"setup", *writes})
        for user, own in writes.items():
            self.assertNotIn("Admin", actions[user], user)
            for prefix in ("tweets", "parquet", "parquet-rejects", "reports", "tweets-parquet"):
                with self.subTest(user=user, prefix=prefix):
                    self.assertEqual(allows(actions[user], "Write", "cauce", f"{prefix}/a.json"), prefix in own)
                    self.assertTrue(allows(actions[user], "Read", "cauce", f"{prefix}/a.json"))
                    self.assertTrue(allows(actions[user], "List", "cauce", ""))
            for action in ("Read", "Write", "List"):
                self.assertFalse(allows(actions[user], action, "other", "tweets/a.json"), user)

    def test_no_two_users_share_keys_and_a_second_start_keeps_them(self) -> None:
        self.make()
        users = ("setup", "agent", "luigi", "spark")
        first = [(self.root / user / "credentials").read_text() for user in users]
        self.assertEqual(len(set(first)), len(users))
        self.make()
        self.assertEqual([(self.root / user / "credentials").read_text() for user in users], first)

    def test_keys_for_aws_are_given_for_all_or_for_each(self) -> None:
        (self.root / "given/aws_credentials").write_text("[default]\nfor = all\n")
        (self.root / "given/aws_credentials_agent").write_text("[default]\nfor = agent\n")
        self.make(STORE="aws")
        read = {user: (self.root / user / "credentials").read_text() for user in ("agent", "luigi", "spark")}
        self.assertIn("for = agent", read["agent"])
        self.assertTrue("for = all" in read["luigi"] and "for = all" in read["spark"])
        self.assertFalse((self.root / "s3/s3.json").exists())

    def test_each_service_mounts_the_keys_of_its_user_alone(self) -> None:
        text = (ROOT / "docker-compose.yml").read_text()
        blocks = re.split(r"^  (\w+):\n", text.split("\nservices:\n")[1].split("\nvolumes:\n")[0], flags=re.MULTILINE)
        services = dict(zip(blocks[1::2], blocks[2::2], strict=True))
        for service, block in services.items():
            mounted = set(re.findall(r"secrets_(setup|agent|luigi|spark):", block))
            if service != "secrets":
                self.assertEqual(mounted, {MOUNTS[service]} if service in MOUNTS else set(), service)
            if service in MOUNTS:
                self.assertIn(f"secrets_{MOUNTS[service]}:/var/lib/cauce/secrets/lake:ro,nocopy", block)


if __name__ == "__main__":
    unittest.main()
