"""Changes of every kind in every table and column of a database, or in every file of a bundle; each into a copy.

    tamper.py tables DATABASE FOLDER     FOLDER/N.db, and a line "N, table, column or row, what" on stdout
    tamper.py files BUNDLE.zip FOLDER    FOLDER/N.zip, and a line "N, file, what"

Tables and columns are read from sqlite_schema, files from the ZIP: a new one is tampered with as well."""

import hashlib
import pathlib
import shutil
import sqlite3
import sys
import zipfile

kind, source, folder = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
count = 0


def told(*words):
    print(count, *words, sep="\t")


def changed(value):
    if value is None:
        return "x"
    if isinstance(value, int):
        return value + 1_000_000
    if isinstance(value, bytes):
        place = len(value) // 2
        return value[:place] + bytes([value[place] ^ 1]) + value[place + 1:]
    place = len(value) // 2
    return value[:place] + ("y" if value[place : place + 1] == "x" else "x") + value[place + 1 :]


def copy():
    global count
    count += 1
    path = folder / f"{count}.db"
    shutil.copy(source, path)
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = DELETE")
    db.execute("PRAGMA ignore_check_constraints = ON")
    for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        db.execute("DROP TRIGGER " + name)
    return db


def done(db, *words):
    db.commit()
    db.close()
    told(*words)


def tables():
    look = sqlite3.connect(source)
    names = [n for (n,) in look.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")]
    for table in names:
        info = look.execute(f"PRAGMA table_info({table})").fetchall()
        columns = [c[1] for c in info]
        keys = [c[1] for c in sorted(info, key=lambda c: c[5]) if c[5]]
        rows = look.execute(f"SELECT * FROM {table} ORDER BY {', '.join(keys)}").fetchall()
        if not rows:
            sys.exit(f"table {table} is empty: nothing can be tried on it")
        middle = rows[len(rows) // 2]
        where = " AND ".join(f"{k} = ?" for k in keys)
        place = [middle[columns.index(k)] for k in keys]
        for i, column in enumerate(columns):
            db = copy()
            db.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", [changed(middle[i]), *place])
            done(db, table, column, "changed")
        db = copy()
        db.execute(f"DELETE FROM {table} WHERE {where}", place)
        done(db, table, "row", "deleted")
        db = copy()
        row = [changed(v) if c in keys else v for c, v in zip(columns, middle)]
        db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        done(db, table, "row", "inserted")
        others = [c for c in columns if c not in keys]
        if len(rows) > 1 and others:
            first, last = rows[0], rows[-1]
            db = copy()
            for here, there in ((first, last), (last, first)):
                sets = ", ".join(f"{c} = ?" for c in others)
                values = [there[columns.index(c)] for c in others]
                db.execute(f"UPDATE {table} SET {sets} WHERE {where}", values + [here[columns.index(k)] for k in keys])
            done(db, table, "rows", "swapped")
        db = copy()
        db.execute(f"DELETE FROM {table}")
        done(db, table, "table", "emptied")


def files():
    global count
    with zipfile.ZipFile(source) as z:
        good = {n: z.read(n) for n in z.namelist()}

    def save(changed_files, *words):
        global count
        count += 1
        with zipfile.ZipFile(folder / f"{count}.zip", "w") as z:
            for name, data in changed_files.items():
                z.writestr(name, data)
        told(*words)

    def manifest(changed_files):
        listed = {n: d for n, d in changed_files.items() if not n.startswith("MANIFEST.")}
        text = "".join(f"{hashlib.sha256(d).hexdigest()}  {n}\n" for n, d in sorted(listed.items()))
        return {**changed_files, "MANIFEST.sha256": text.encode()}

    def both(changed_files, name, what):
        save(changed_files, name, what)
        if name != "MANIFEST.sha256":
            save(manifest(changed_files), name, what + ", manifest made to fit")

    names = sorted(good)
    for i, name in enumerate(names):
        both({**good, name: changed(good[name])}, name, "changed")
        both({n: d for n, d in good.items() if n != name}, name, "deleted")
        both({**good, name: good[name][:-1]}, name, "truncated")
        other = names[(i + 1) % len(names)]
        both({**good, name: good[other], other: good[name]}, name, "swapped with " + other)
    both({**good, "note.txt": b"all is well\n"}, "note.txt", "inserted")


tables() if kind == "tables" else files()
