"""The day's objects as Parquet, as AWS types them: a file beside each file given."""

import sys

import duckdb

NUMBERS = {"version": "INTEGER", "srcport": "INTEGER", "dstport": "INTEGER", "protocol": "INTEGER", "packets": "BIGINT",
           "bytes": "BIGINT", "start": "BIGINT", "end": "BIGINT"}
NAMES = ("version account_id interface_id srcaddr dstaddr srcport dstport protocol packets bytes start end action"
         " log_status").split()
TYPES = {n: NUMBERS.get(n, "VARCHAR") for n in NAMES}
db = duckdb.connect()
for path in sys.argv[1:]:
    db.execute(f"COPY (SELECT * FROM read_csv('{path}', delim=' ', header=true, nullstr='-', columns={TYPES}, auto_detect=false,"
               f" quote='', escape='')) TO '{path.removesuffix('.log.gz')}.parquet' (FORMAT parquet, COMPRESSION gzip)")
