"""Replaces a text in the first entry that has it, and everything that can be made without the key to fit: the leaf, and
the tiles over it. Arguments: ledger.db, the text, what stands there afterwards."""

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
db.execute("UPDATE entry SET bytes = ?, leaf = ? WHERE seq = ?", (data, hashlib.sha256(b"\0" + data).digest(), seq))
for (idx,) in db.execute("SELECT idx FROM tile WHERE level = 0 ORDER BY idx").fetchall():
    leaves = [h for (h,) in db.execute("SELECT leaf FROM entry WHERE seq >= ? AND seq < ? ORDER BY seq",
                                       (256 * idx, 256 * idx + 256))]
    db.execute("UPDATE tile SET hashes = ?, root = ? WHERE level = 0 AND idx = ?", (b"".join(leaves), root(leaves), idx))
db.commit()
print(seq)
