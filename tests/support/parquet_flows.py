"""Flow-log texts as Parquet, written by DuckDB: `plain` with the types that AWS documents, `rewritten` with strings
everywhere and `-` for nothing. Arguments: a JSON file with the texts' paths, and the folder to write to."""

import json
import pathlib
import sys

import duckdb

DEFAULT = ("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action"
           " log-status").split()
NUMBERS = {"version": "INTEGER", "srcport": "INTEGER", "dstport": "INTEGER", "protocol": "INTEGER", "tcp-flags": "INTEGER",
           "traffic-path": "INTEGER", "packets": "BIGINT", "bytes": "BIGINT", "start": "BIGINT", "end": "BIGINT"}
db = duckdb.connect()
for path in json.load(open(sys.argv[1])):
    path = pathlib.Path(path)
    first = path.read_text().split("\n", 1)[0].split()
    names = first if "srcaddr" in first or "version" in first else DEFAULT
    db.execute("""CREATE OR REPLACE TABLE r AS SELECT string_split_regex(trim(line), '\\s+') AS f FROM read_csv(?,
        columns={'line': 'VARCHAR'}, header=false, delim='\\x01', quote='', escape='', auto_detect=false)
        WHERE trim(line) <> ''""", [str(path)])
    db.execute("DELETE FROM r WHERE f[1] = ?", [names[0]])

    def columns(kind, empty):
        for i, name in enumerate(names):
            cell = f"nullif(f[{i + 1}], '-')" if empty else f"f[{i + 1}]"
            yield f"{cell}::{kind(name)} AS \"{name.replace('-', '_')}\""

    for form, kind, empty, packed in (("plain", lambda n: NUMBERS.get(n, "VARCHAR"), True, "gzip"),
                                      ("rewritten", lambda n: "VARCHAR", False, "snappy")):
        to = pathlib.Path(sys.argv[2]) / f"{path.stem}.{form}.parquet"
        db.execute(f"COPY (SELECT {', '.join(columns(kind, empty))} FROM r) TO '{to}' (FORMAT parquet, COMPRESSION {packed}, ROW_GROUP_SIZE 2048)")
# One with a column of another type, and one without a column.
db.execute("CREATE TABLE g AS SELECT 'eni-1' interface_id, '10.0.0.1' srcaddr, '10.0.0.2' dstaddr, 1790000000 + i AS start, "
           "1790000059 + i AS \"end\", 1.5 * i AS packets, i AS bytes, 'OK' log_status, 7 AS version FROM range(3000) t(i)")
folder = pathlib.Path(sys.argv[2])
db.execute(f"COPY g TO '{folder}/retyped.parquet' (FORMAT parquet)")
db.execute(f"COPY (SELECT 'eni-1' interface_id, 1790000000 + i AS start, 1 packets, i * 7919 AS bytes, 'OK' log_status FROM range(6144) t(i)) "
           f"TO '{folder}/groups.parquet' (FORMAT parquet, COMPRESSION gzip, ROW_GROUP_SIZE 2048)")
db.execute(f"COPY (SELECT * EXCLUDE (start, packets) FROM g) TO '{folder}/missing.parquet' (FORMAT parquet)")
db.execute(f"COPY (SELECT * REPLACE (CASE WHEN i % 1000 = 5 THEN -1 ELSE bytes END AS bytes, 1 AS packets) FROM (SELECT *, row_number() OVER () AS i FROM g)) TO '{folder}/negative.parquet' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
