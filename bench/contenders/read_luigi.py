"""luigi: S3Client.listdir and S3Target.open('r'), what a Luigi task does today."""

from luigi.contrib.s3 import S3Client, S3Target
from store import BUCKET, KEY_ID, REGION, SECRET, YEAR, answer, asked


def main() -> None:
    given = asked()
    client = S3Client(aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET, endpoint_url=given.endpoint, region_name=REGION)
    if given.task == "year":
        answer(hours=sum(1 for _ in client.listdir(f"s3://{BUCKET}/{YEAR}")))
        return
    found = [path for prefix in given.prefixes for path in client.listdir(f"s3://{BUCKET}/{prefix}")]
    if given.task == "list":
        answer(objects=len(found))
        return
    lines = 0
    for path in found:
        with S3Target(path, client=client).open("r") as file:
            for _line in file:
                lines += 1
    answer(lines=lines)


if __name__ == "__main__":
    main()
