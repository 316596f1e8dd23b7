"""dlt in the fastest configuration that was found: arrow tables, CSV files, the `upsert` strategy (one MERGE).

It keeps a table of its own, with the same columns. Rows that vanish from the feed stay as they are: dlt has no word for
them, so its mixed workload does less than the others'.
"""

from __future__ import annotations

import os
import tempfile
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from tests.benchmarks.write_rows import COLUMNS, SOURCE, TYPES, Feed

if TYPE_CHECKING:
    from collections.abc import Iterator

DATASET: Final = "loaded"
_SETTINGS: Final = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
    "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
    "EXTRACT__WORKERS": "1",
}
_TABLE_ROWS: Final = 50_000
"""Rows of one arrow table: what is in memory at once."""


def write_dlt(url: str, feed: Feed) -> float:
    """Load the feed with one pipeline run: extract, normalize, load."""
    with tempfile.TemporaryDirectory(prefix="tracksync-dlt-") as home:
        os.environ.update(_SETTINGS | {"DLT_DATA_DIR": home, "HOME": home})
        import dlt  # noqa: PLC0415 -- it reads its settings when it is loaded
        import pyarrow as pa  # noqa: PLC0415 -- loaded only where it is used

        schema = pa.schema([("source", pa.string()), *map(_arrow_field, COLUMNS, TYPES)])
        pipeline = dlt.pipeline("bench", destination=dlt.destinations.postgres(url), dataset_name=DATASET)
        resource = dlt.resource(
            _tables(feed, schema),
            name="tracks",
            primary_key=("source", "slug"),
            write_disposition={"disposition": "merge", "strategy": "upsert"},
        )
        began = monotonic()
        pipeline.run(resource, loader_file_format="csv").raise_on_failed_jobs()
        return monotonic() - began


def _arrow_field(name: str, kind: str) -> Any:
    import pyarrow as pa  # noqa: PLC0415 -- as above

    return pa.field(name, {"text": pa.string(), "bool": pa.bool_(), "int8": pa.int64()}[kind])


def _tables(feed: Feed, schema: Any) -> Iterator[Any]:
    import pyarrow as pa  # noqa: PLC0415 -- as above

    rows = feed.rows()
    while batch := list(islice(rows, _TABLE_ROWS)):
        columns = [[SOURCE] * len(batch), *map(list, zip(*batch, strict=True))]
        yield pa.table(columns, schema=schema)
