"""Replaces a text in the first entry that has it, and everything that can be made without the key to fit: the tiles
over it. Arguments: ledger.db, the text, what stands there afterwards."""

import hashlib
import sqlite3
import sys


def node(a, b):
    return hashlib.sha256(b"\1" + a + b).digest()


def root(hashes):
    while len(hashes) > 1:
        hashes = [node(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


db = sqlite3.connect(sys.argv[1])
for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
    db.execute("DROP TRIGGER " + name)
old, new = sys.argv[2].encode(), sys.argv[3].encode()
seq, data = db.execute("SELECT seq, bytes FROM entry WHERE instr(bytes, ?) ORDER BY seq LIMIT 1", (old,)).fetchone()
data = data.replace(old, new)
db.execute("UPDATE entry SET bytes = ? WHERE seq = ?", (data, seq))
for (idx,) in db.execute("SELECT idx FROM tile WHERE level = 0 ORDER BY idx").fetchall():
    rows = db.execute("SELECT bytes FROM entry WHERE seq >= ? AND seq < ? ORDER BY seq", (256 * idx, 256 * idx + 256))
    leaves = [hashlib.sha256(b"\0" + data).digest() for (data,) in rows]
    db.execute("UPDATE tile SET hashes = ?, root = ? WHERE level = 0 AND idx = ?", (b"".join(leaves), root(leaves), idx))
db.commit()
print(seq)
