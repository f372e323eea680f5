"""What Spark asks first: the source's name, its columns, and who reads them."""

from typing import TYPE_CHECKING

from pyspark.sql.datasource import DataSource, DataSourceReader, DataSourceStreamReader
from pyspark.sql.types import StructType

from pyspark_cauce._options import Options
from pyspark_cauce._reader import PushingReader, Reader
from pyspark_cauce._sentence import one_sentence
from pyspark_cauce._stream import RefusedStream, StreamReader

if TYPE_CHECKING:
    from pyspark_cauce._columns import Columns


class DefaultSource(DataSource):
    """The tweets of a lake, in the columns of docs/tweets-table.md."""

    @classmethod
    def name(cls) -> str:
        """What stands in `format("cauce")`."""
        return "cauce"

    def schema(self) -> StructType:
        """All columns; `raw` too where the option asks for it."""
        from pyspark_cauce._columns import all_columns

        with one_sentence():
            return all_columns(self._asked().raw)

    def reader(self, schema: StructType) -> DataSourceReader:
        """The reader of a batch query.

        A schema that was given is a projection: the columns that it names, and no more.
        """
        with one_sentence():
            asked = self._asked()
            return (PushingReader if asked.pushdown else Reader)(asked, self._columns(schema))

    def streamReader(self, schema: StructType) -> DataSourceStreamReader:
        """The reader of a streaming query."""
        try:
            asked = self._asked()
            asked.check_streaming()
            return StreamReader(asked, self._columns(schema))
        except ValueError as error:
            return RefusedStream(error)

    def _asked(self) -> Options:
        return Options.read(self.options)

    @staticmethod
    def _columns(schema: StructType) -> "Columns":
        from pyspark_cauce._columns import Columns

        return Columns.of(schema)
