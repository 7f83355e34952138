"""The same sums by DuckDB: all files given, one GROUP BY over typed columns."""

import sys

import duckdb

NAMES = ("version account interface src dst srcport dstport protocol packets bytes start end_ action status").split()
TYPES = {n: "VARCHAR" for n in NAMES}
TYPES.update(srcport="INTEGER", dstport="INTEGER", protocol="INTEGER", packets="BIGINT", bytes="BIGINT", start="BIGINT",
             end_="BIGINT")
db = duckdb.connect()
db.execute("SET threads = 2")
files = sys.argv[1:]
rows = db.execute(
    "SELECT start // 3600, interface, dstport, action, count(*), sum(packets), sum(bytes), min(start), max(end_)"
    f" FROM read_csv(?, delim=' ', header=true, nullstr='-', columns={TYPES}, auto_detect=false, quote='', escape='')"
    " GROUP BY ALL", [files]).fetchall()
print(len(rows))
