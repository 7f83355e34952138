#!/usr/bin/env python3
"""Checks an Actledger bundle. Uses the Python standard library and the openssl command, and no code of Actledger.

    python3 verify.py FOLDER-OR-ZIP [--key 'NAME+HASH+KEY']

Exit code 0: everything holds. 1: something does not, and the line says what. Without --key the bundle's own key is
taken: that shows that the bundle is whole, not who made it.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile


class Bad(Exception):
    pass


def read(place):
    files = {}
    if os.path.isdir(place):
        for folder, _, names in os.walk(place):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    files[os.path.relpath(path, place).replace(os.sep, "/")] = f.read()
    else:
        with zipfile.ZipFile(place) as z:
            names = z.namelist()
            if len(names) != len(set(names)):
                raise Bad("a file is in the ZIP twice")
            files = {name: z.read(name) for name in names}
    return files


def text(files, name):
    if name not in files:
        raise Bad(f"{name} is missing")
    return files[name].decode("utf-8")


def parse_key(line):
    parts = line.strip().split("+", 2)
    if len(parts) != 3:
        raise Bad("the key is not of the form NAME+HASH+KEY")
    raw = base64.b64decode(parts[2], validate=True)
    if len(raw) != 33 or raw[0] != 1:
        raise Bad("the key is no Ed25519 key")
    if key_id(parts[0], raw[1:]).hex() != parts[1].lower():
        raise Bad("the hash of the key does not fit name and key")
    return parts[0], raw[1:]


def key_id(name, key):
    return hashlib.sha256(name.encode() + b"\n\x01" + key).digest()[:4]


def open_note(note, name, key):
    """The text of a signed note, once openssl has checked its signature."""
    body, gap, signatures = note.rpartition("\n\n")
    if not gap:
        raise Bad("a note has no signatures")
    body += "\n"
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        who, _, data = rest.partition(" ")
        if dash != "\u2014":
            raise Bad("a signature line is of another form")
        raw = base64.b64decode(data, validate=True)
        if who != name or raw[:4] != key_id(name, key):
            continue
        with tempfile.TemporaryDirectory() as folder:
            paths = {n: os.path.join(folder, n) for n in ("key", "body", "signature")}
            # SubjectPublicKeyInfo of an Ed25519 key (RFC 8410).
            spki = bytes.fromhex("302a300506032b6570032100") + key
            for n, content in (("key", spki), ("body", body.encode()), ("signature", raw[4:])):
                with open(paths[n], "wb") as f:
                    f.write(content)
            done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", paths["key"],
                                   "-rawin", "-in", paths["body"], "-sigfile", paths["signature"]],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Bad(f"the signature by {name} does not fit")
        return body
    raise Bad(f"no signature by {name} with key {key_id(name, key).hex()}")


def leaf(data):
    return hashlib.sha256(b"\0" + data).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(leaves):
    peaks = []
    for h in leaves:
        height = 0
        while peaks and peaks[-1][0] == height:
            h = node(peaks.pop()[1], h)
            height += 1
        peaks.append((height, h))
    if not peaks:
        return hashlib.sha256(b"").digest()
    h = peaks.pop()[1]
    while peaks:
        h = node(peaks.pop()[1], h)
    return h


def root_from_path(h, index, size, path):
    """RFC 9162, section 2.1.3.2."""
    if index >= size:
        return None
    fresh, last = index, size - 1
    for sibling in path:
        if last == 0:
            return None
        if fresh & 1 or fresh == last:
            h = node(sibling, h)
            while not fresh & 1 and fresh:
                fresh >>= 1
                last >>= 1
        else:
            h = node(h, sibling)
        fresh >>= 1
        last >>= 1
    return h if last == 0 else None


def commitments(value):
    if isinstance(value, dict):
        if isinstance(value.get("$private"), str):
            return [value["$private"]]
        return [c for v in value.values() for c in commitments(v)]
    if isinstance(value, list):
        return [c for v in value for c in commitments(v)]
    return []


def entries_of(files):
    entries = []
    for number, line in enumerate(files.get("entries.ndjson", b"").split(b"\n")):
        if not line:
            continue
        head, middle, rest = line.partition(b',"entry":')
        if not middle or not head.startswith(b'{"seq":') or not rest.endswith(b"}"):
            raise Bad(f"entries.ndjson, line {number + 1}: no entry")
        entries.append((int(head[7:]), rest[:-1], json.loads(rest[:-1])))
    return entries


def check(place, given):
    files = read(place)
    name, key = parse_key(text(files, "public-key.txt"))
    if given and parse_key(given) != (name, key):
        raise Bad("public-key.txt is another key than the one given")
    entries = entries_of(files)
    for _, _, entry in entries:
        if entry.get("kind") == "ledger.key":
            name, key = parse_key(entry["payload"]["public_key"])
    said = open_note(text(files, "MANIFEST.note"), name + "/bundle", key).splitlines()
    manifest = files.get("MANIFEST.sha256", b"")
    if said[3] != "manifest sha256:" + hashlib.sha256(manifest).hexdigest():
        raise Bad("MANIFEST.sha256 is not the manifest that was signed")
    listed = dict(reversed(line.split("  ", 1)) for line in manifest.decode().splitlines())
    for path, digest in listed.items():
        if path not in files:
            raise Bad(f"{path} is listed and missing")
        if hashlib.sha256(files[path]).hexdigest() != digest:
            raise Bad(f"{path} has another SHA-256 than listed")
    added = [p for p in files if p not in listed and p not in ("MANIFEST.sha256", "MANIFEST.note")]
    if added:
        raise Bad(f"{added[0]} was added: the manifest does not list it")
    origin, size, root = open_note(text(files, "checkpoint.txt"), name, key).splitlines()[:3]
    if said[1:3] != [size, root] or origin != name:
        raise Bad("MANIFEST.note speaks of another checkpoint")
    size, root = int(size), base64.b64decode(root)
    if "proofs.json" in files:
        paths = {p["seq"]: [base64.b64decode(h) for h in p["path"]] for p in json.loads(files["proofs.json"])["proofs"]}
        for seq, data, _ in entries:
            if root_from_path(leaf(data), seq, size, paths.get(seq, [])) != root:
                raise Bad(f"entry {seq} is not proved to be in the ledger")
    elif [seq for seq, _, _ in entries] != list(range(size)) or root_of(leaf(d) for _, d, _ in entries) != root:
        raise Bad("the entries do not give the root of the checkpoint")
    for seq, _, entry in entries:
        for member in entry["payload"].values():
            if isinstance(member, dict) and str(member.get("$blob", "")).startswith("sha256:"):
                digest = member["$blob"][7:]
                if hashlib.sha256(files.get("blobs/" + digest, b"")).hexdigest() != digest:
                    raise Bad(f"entry {seq}: blob {digest} is missing or changed")
    sealed = {seq: commitments(entry["payload"]) for seq, _, entry in entries}
    opened = 0
    for line in files.get("openings.ndjson", b"").splitlines():
        o = json.loads(line)
        value = json.dumps(o["value"], ensure_ascii=False).encode()
        made = base64.b64encode(hashlib.sha256(base64.b64decode(o["salt"]) + value).digest()).decode()
        if made != o["commitment"] or made not in sealed.get(o["seq"], []):
            raise Bad(f"a private value of entry {o['seq']} does not fit its commitment")
        opened += 1
    withheld = sum(len(c) for c in sealed.values()) - opened
    print(f"{len(listed)} files listed, {len(listed)} present, 0 added; {len(entries)} entries, all proved to size "
          f"{size}; signature good; {opened} private values open, {withheld} withheld, their places proved")


def main():
    arguments = sys.argv[1:]
    key = None
    if "--key" in arguments:
        i = arguments.index("--key")
        key = arguments[i + 1]
        del arguments[i:i + 2]
    if len(arguments) != 1:
        print(__doc__)
        return 2
    try:
        check(arguments[0], key)
        return 0
    except (Bad, KeyError, IndexError, ValueError, TypeError, AttributeError, zipfile.BadZipFile, OSError) as e:
        print(f"DOES NOT HOLD: {e}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
