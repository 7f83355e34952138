"""DuckDB's opinion on flow-log objects: the argument is a file with [{"file", "object"}], the text and our sums over it.
Records by hour, interface and status, and flows, packets and bytes with both ends, must be equal.
A record of a protocol that no number of IANA has is none."""

import datetime
import json
import sys

import duckdb

DEFAULT = ("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action"
           " log-status").split()
db = duckdb.connect()


def columns(path):
    first = open(path, encoding="utf-8").readline().split()
    return first if "srcaddr" in first or "version" in first else DEFAULT


def rows_of(path):
    """Field names, and SQL for rows as lists of texts."""
    if not path.endswith(".parquet"):
        names = columns(path)
        return names, f"""SELECT f FROM (SELECT string_split_regex(trim(line), '\\s+') AS f FROM read_csv('{path}',
            columns={{'line': 'VARCHAR'}}, header=false, delim='\x01', quote='', escape='', auto_detect=false)
            WHERE trim(line) <> '') WHERE f[1] <> '{names[0]}'"""
    raw = [r[0] for r in db.execute(f"DESCRIBE SELECT * FROM read_parquet('{path}')").fetchall()]
    cells = ", ".join(f"CASE WHEN \"{c}\"::VARCHAR = 'None' THEN NULL ELSE \"{c}\"::VARCHAR END" for c in raw)
    return [c.replace("_", "-") for c in raw], f"SELECT [{cells}] AS f FROM read_parquet('{path}')"


def opinion(path):
    names, rows = rows_of(path)

    def field(name, kind):
        if name not in names:
            return f"NULL::{kind}"
        return f"nullif(f[{names.index(name) + 1}], '-')::{kind}"

    def seconds(name):
        return f"CASE WHEN {field(name, 'BIGINT')} > 100000000000 THEN {field(name, 'BIGINT')} // 1000 ELSE {field(name, 'BIGINT')} END"

    db.execute(f"""CREATE OR REPLACE TABLE r AS SELECT
        coalesce({field('interface-id', 'VARCHAR')}, {field('resource-id', 'VARCHAR')}, '') AS interface,
        coalesce({field('log-status', 'VARCHAR')}, 'OK') AS status, {field('tgw-id', 'VARCHAR')} AS transit,
        coalesce({field('pkt-srcaddr', 'VARCHAR')}, {field('srcaddr', 'VARCHAR')}) AS src,
        coalesce({field('pkt-dstaddr', 'VARCHAR')}, {field('dstaddr', 'VARCHAR')}) AS dst,
        coalesce({field('packets', 'HUGEINT')}, 0) AS packets, coalesce({field('bytes', 'HUGEINT')}, 0) AS bytes,
        {seconds('start')} AS start, {seconds('end')} AS stop
      FROM ({rows}) WHERE coalesce({field('protocol', 'BIGINT')}, 0) <= 255""")
    hours = db.execute("""SELECT start // 3600 * 3600, interface, count(*) FILTER (status = 'OK'),
        count(*) FILTER (status = 'NODATA'), count(*) FILTER (status = 'SKIPDATA')
        FROM r WHERE start IS NOT NULL AND transit IS NULL GROUP BY 1, 2 ORDER BY 1, 2""").fetchall()
    sums = db.execute("""SELECT count(*), coalesce(sum(packets), 0)::VARCHAR, coalesce(sum(bytes), 0)::VARCHAR FROM r
        WHERE status = 'OK' AND start IS NOT NULL AND transit IS NULL AND src IS NOT NULL AND dst IS NOT NULL""").fetchone()
    total = db.execute("SELECT count(*) FROM r").fetchone()[0]
    span = db.execute("SELECT min(start), max(coalesce(stop, start)) FROM r WHERE start IS NOT NULL AND transit IS NULL")
    return hours, sums, total, span.fetchone()


def unix(text):
    return int(datetime.datetime.fromisoformat(text).timestamp())


for one in json.load(open(sys.argv[1])):
    path, told = one["file"], one["object"]
    hours, sums, total, span = opinion(path)
    at = lambda numbers, i: numbers[i] if numbers else 0  # noqa: E731
    ours = [(start, name, *(at(n, i) for n in counts)) for start, *counts in told["hours"]
            for i, name in enumerate(told["interfaces"]) if any(at(n, i) for n in counts)]
    assert ours == hours, (path, ours[:5], hours[:5])
    rows, other = told["rows"], told["other"]
    flows = sum(r[1][0] for r in rows) + other["flows"]
    packets, size = (sum(int(r[1][i]) for r in rows) + int(other[n]) for i, n in ((1, "packets"), (2, "bytes")))
    assert (flows, str(packets), str(size)) == sums, (path, flows, packets, size, sums)
    counts = told["records"]
    assert sum(n for k, n in counts.items() if k not in ("odd", "quarantined")) == total, (path, counts, total)
    assert span == ((None, None) if told["span"] is None else tuple(map(unix, told["span"]))), (path, span, told["span"])
    print(f"{path.rsplit('/', 1)[-1]}: {total} records, {len(hours)} interface-hours, {len(rows)} rows")
