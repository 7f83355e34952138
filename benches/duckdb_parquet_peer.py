"""The same sums by DuckDB over Parquet: all files given, one GROUP BY over the columns that a record is made of."""

import sys

import duckdb

db = duckdb.connect()
db.execute("SET threads = 2")
rows = db.execute(
    "SELECT start // 3600, interface_id, srcaddr, dstaddr, srcport, dstport, protocol, action, log_status, count(*),"
    " sum(packets), sum(bytes), min(start), max(\"end\") FROM read_parquet(?) WHERE srcport IN (5000, 6006) OR dstport IN"
    " (5000, 6006) GROUP BY ALL", [sys.argv[1:]]).fetchall()
hours = db.execute("SELECT start // 3600, interface_id, log_status, count(*) FROM read_parquet(?) GROUP BY ALL",
                   [sys.argv[1:]]).fetchall()
print(len(rows), len(hours))
