#!/usr/bin/env python3
"""Checks an Actledger bundle. Uses the Python standard library and the openssl command, and no code of Actledger.

    python3 verify.py FOLDER-OR-ZIP [--key 'NAME+HASH+KEY'] [--tsa-ca FILE]

Exit code 0: everything holds. 1: something does not, and the line says what. 2: nothing was checked. Without --key the bundle's own key is
taken: that shows that the bundle is whole, not who made it. --tsa-ca is the certificate of a time-stamp authority that
you trust; without it, time-stamps are listed and not checked.

The format is docs/ledger-format.md. A million entries take about a minute.
"""

import base64
import calendar
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile


class Bad(Exception):
    pass


class Files:
    """A folder or a ZIP; big files are read in pieces."""

    def __init__(self, place):
        if os.path.isdir(place):
            self.zip = None
            self.place = place
            self.names = [os.path.relpath(os.path.join(folder, n), place).replace(os.sep, "/")
                          for folder, _, names in os.walk(place) for n in names]
        else:
            self.zip = zipfile.ZipFile(place)
            self.names = self.zip.namelist()
        if len(self.names) != len(set(self.names)):
            raise Bad("a file is in the ZIP twice")
        self.known = set(self.names)

    def open(self, name):
        if name not in self.known:
            raise Bad(f"{name} is missing")
        return self.zip.open(name) if self.zip else open(os.path.join(self.place, name), "rb")

    def bytes(self, name):
        with self.open(name) as f:
            return f.read()

    def text(self, name):
        return self.bytes(name).decode("utf-8")

    def json(self, name, default):
        return json.loads(self.bytes(name)) if name in self.known else default

    def sha256(self, name):
        digest = hashlib.sha256()
        with self.open(name) as f:
            while piece := f.read(1 << 20):
                digest.update(piece)
        return digest.hexdigest()


# Keys and signatures: C2SP signed-note, Ed25519.

def key_id(name, key):
    return hashlib.sha256(name.encode() + b"\n\x01" + key).digest()[:4]


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


def openssl_is_there():
    """Whether this openssl checks Ed25519: the first signature of RFC 8032, 7.1, that is over a text."""
    key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0"
                              "f11d8c387b2eaeb4302aeeb00d291612bb0c00")
    try:
        return signature_fits(key, b"\x72", signature)
    except OSError:
        return False


def signature_fits(key, body, signature):
    with tempfile.TemporaryDirectory() as folder:
        paths = {n: os.path.join(folder, n) for n in ("key", "body", "signature")}
        # SubjectPublicKeyInfo of an Ed25519 key (RFC 8410).
        spki = bytes.fromhex("302a300506032b6570032100") + key
        for n, content in (("key", spki), ("body", body), ("signature", signature)):
            with open(paths[n], "wb") as f:
                f.write(content)
        done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", paths["key"],
                               "-rawin", "-in", paths["body"], "-sigfile", paths["signature"]],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return done.returncode == 0


def open_note(note, name, key):
    """The lines of a signed note, once openssl has checked its signature."""
    body, gap, signatures = note.rpartition("\n\n")
    if not gap or not note.endswith("\n"):
        raise Bad("a note has no signatures, or is cut off")
    body += "\n"
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        who, _, data = rest.partition(" ")
        if dash != "\u2014":
            raise Bad("a signature line is of another form")
        raw = base64.b64decode(data, validate=True)
        if who == name and raw[:4] == key_id(name, key):
            if not signature_fits(key, body.encode(), raw[4:]):
                raise Bad(f"the signature by {name} does not fit")
            return body.splitlines()
    raise Bad(f"no signature by {name} with key {key_id(name, key).hex()}")


def checkpoint(lines, name):
    if lines[0] != name or str(int(lines[1])) != lines[1]:
        raise Bad("a checkpoint speaks of another log")
    return int(lines[1]), base64.b64decode(lines[2], validate=True)


# The tree of RFC 6962.

def leaf(data):
    return hashlib.sha256(b"\0" + data).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    def __init__(self):
        self.size, self.peaks = 0, []

    def push(self, h, height=0):
        if height > 62 or self.size % (1 << height):
            raise Bad("proofs.json: a subtree does not stand at its place")
        self.size += 1 << height
        peaks = self.peaks
        while peaks and peaks[-1][0] == height:
            h = node(peaks.pop()[1], h)
            height += 1
        peaks.append((height, h))

    def root(self):
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        h = self.peaks[-1][1]
        for _, left in reversed(self.peaks[:-1]):
            h = node(left, h)
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


def consistent(m, old, n, new, proof):
    """RFC 9162, section 2.1.4.2."""
    if m == n:
        return not proof and old == new
    if not 0 < m < n:
        return False
    path = list(proof)
    if m & (m - 1) == 0:
        path.insert(0, old)
    if not path:
        return False
    fresh, last = m - 1, n - 1
    while fresh & 1:
        fresh >>= 1
        last >>= 1
    left = whole = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if fresh & 1 or fresh == last:
            left, whole = node(sibling, left), node(sibling, whole)
            while not fresh & 1 and fresh:
                fresh >>= 1
                last >>= 1
        else:
            whole = node(whole, sibling)
        fresh >>= 1
        last >>= 1
    return last == 0 and left == old and whole == new


def decoded(hashes):
    return [base64.b64decode(h, validate=True) for h in hashes]


# Entries.

MEMBERS = ["key", "kind", "occurred_at", "payload", "recorded_at", "source", "subject", "v"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def unfloat(text):
    raise Bad(f"the number {text} is not an integer")


def small(text):
    number = int(text)
    if abs(number) >= 1 << 53:
        raise Bad(f"the number {text} is beyond 2^53-1")
    return number


def nesting(value):
    if isinstance(value, dict):
        return 1 + max(map(nesting, value.values()), default=0)
    return 1 + max(map(nesting, value), default=0) if isinstance(value, list) else 0


def sorted_members(value):
    if isinstance(value, dict):
        names = sorted(value, key=lambda n: n.encode("utf-16-be"))
        return {n: sorted_members(value[n]) for n in names}
    if isinstance(value, list):
        return [sorted_members(v) for v in value]
    return value


def canonical(value):
    """RFC 8785 for values without floats. Members stand in the order of UTF-16 code units."""
    return json.dumps(sorted_members(value), ensure_ascii=False, separators=(",", ":")).encode()


def parse(data, place):
    value = json.loads(data, parse_float=unfloat, parse_int=small, parse_constant=unfloat)
    if canonical(value) != data or data.count(b"{") + data.count(b"[") > 64 and nesting(value) > 64:
        raise Bad(f"{place} is not in canonical form")
    return value


def is_entry(e):
    return (isinstance(e, dict) and list(e) == MEMBERS and e["v"] in (0, 1) and isinstance(e["payload"], dict)
            and all(isinstance(e[m], str) for m in ("key", "kind", "source", "subject"))
            and all(isinstance(e[m], str) and TIME.fullmatch(e[m]) for m in ("occurred_at", "recorded_at")))


def sealed_in(value):
    if isinstance(value, dict):
        if isinstance(value.get("$private"), str):
            return [value["$private"]]
        return [c for v in value.values() for c in sealed_in(v)]
    if isinstance(value, list):
        return [c for v in value for c in sealed_in(v)]
    return []


def entries_of(files):
    """Sequence number, bytes and value of each entry, in order."""
    before = -1
    with files.open("entries.ndjson") as lines:
        for number, line in enumerate(lines):
            head, middle, rest = line.partition(b',"entry":')
            if not middle or not head.startswith(b'{"seq":') or not rest.endswith(b"}\n"):
                raise Bad(f"entries.ndjson, line {number + 1}: no entry")
            seq, data = int(head[7:]), rest[:-2]
            if seq <= before:
                raise Bad(f"entries.ndjson, line {number + 1}: entry {seq} is out of order")
            entry = parse(data, f"entry {seq}")
            if not is_entry(entry):
                raise Bad(f"entries.ndjson, line {number + 1}: entry {seq} is not of a form that is known")
            if before < 0 and (seq, entry["kind"]) != (0, "ledger.opened"):
                raise Bad("entry 0, which opens the ledger, is missing")
            before = seq
            yield seq, data, entry
    if before < 0:
        raise Bad("entry 0, which opens the ledger, is missing")


class Beside:
    """Blobs and private values, checked against the entries that name them."""

    def __init__(self, files):
        self.files, self.blobs, self.kept = files, set(), {}
        self.open = self.erased = self.withheld = 0
        self.seen, self.claims = {}, []
        if "openings.ndjson" in files.known:
            with files.open("openings.ndjson") as lines:
                for line in lines:
                    o = json.loads(line)
                    if self.kept.setdefault(o["seq"], {}).setdefault(o["commitment"], o) is not o:
                        raise Bad(f"openings.ndjson opens a value of entry {o['seq']} twice")

    def check(self, seq, data, entry):
        self.seen[seq] = entry["payload"] if entry["kind"] == "private.erased" else None
        if b'"$' not in data:
            if seq in self.kept:
                raise Bad(f"entry {seq} holds no private value, and openings.ndjson opens one")
            return
        sealed = sealed_in(entry["payload"])
        for member in entry["payload"].values():
            if isinstance(member, dict) and str(member.get("$blob", "")).startswith("sha256:"):
                sealed += self.blob(seq, member)
        kept = self.kept.pop(seq, {})
        for commitment, o in kept.items():
            if commitment not in sealed:
                raise Bad(f"a private value of entry {seq} fits no commitment")
            if "erased_by" in o:
                self.claims.append((seq, commitment, o["erased_by"]))
                self.erased += 1
                continue
            value = json.dumps(o["value"], ensure_ascii=False).encode()
            made = hashlib.sha256(base64.b64decode(o["salt"]) + value).digest()
            if base64.b64encode(made).decode() != commitment:
                raise Bad(f"a private value of entry {seq} does not give its commitment")
            self.open += 1
        self.withheld += len(sealed) - len(kept)

    def check_erasures(self):
        """An entry that is said to have erased a value did so, where it is in the bundle."""
        for seq, commitment, by in self.claims:
            erasure = self.seen.get(by, {"below": seq + 1})
            if not erasure or erasure.get("below", 0) <= seq and commitment not in erasure.get("commitments", []):
                raise Bad(f"entry {by} did not erase a value of entry {seq}")

    def blob(self, seq, member):
        digest = member["$blob"][7:]
        if digest not in self.blobs:
            if self.files.sha256(f"blobs/{digest}") != digest:
                raise Bad(f"entry {seq}: blob {digest} has other bytes")
            self.blobs.add(digest)
        if member.get("as") != "json":
            return []
        return sealed_in(parse(self.files.bytes(f"blobs/{digest}"), f"blob {digest}"))


# The whole.

def signer_of(files, first):
    """The key that signed the bundle: that of entry 0, handed over by checkpoints that both keys signed."""
    name, key = first
    spans = []
    for change in files.json("keys.json", []):
        spans.append((change, name, key))
        # Its entry names the next key; check_keys compares it when the entry comes.
        key = parse_key(change["public_key"])[1]
    return name, key, spans


def check_keys(spans, said, size, root):
    handed = [s for s, _, _ in said]
    if handed != [c["seq"] for c, _, _ in spans]:
        raise Bad("keys.json does not hold the checkpoint over each change of key")
    for (change, name, key), (seq, line, version) in zip(spans, said):
        if line != change["public_key"] or parse_key(line)[0] != name:
            raise Bad(f"keys.json names another key than entry {seq}")
        lines = open_note(change["checkpoint"], name, key)
        # Version 0 had the old key's signature alone.
        if version > 0 and open_note(change["checkpoint"], *parse_key(line)) != lines:
            raise Bad(f"the checkpoint over entry {seq} is not signed by both keys")
        over, over_root = checkpoint(lines, name)
        if over <= seq or not consistent(over, over_root, size, root, decoded(change["consistency"])):
            raise Bad(f"the checkpoint over entry {seq} is no prefix of this ledger")


def check_manifest(files, name, key, size, root):
    said = open_note(files.text("MANIFEST.note"), name + "/bundle", key)
    manifest = files.bytes("MANIFEST.sha256")
    if said[3] != "manifest sha256:" + hashlib.sha256(manifest).hexdigest():
        raise Bad("MANIFEST.sha256 is not the manifest that was signed")
    if said[1] != str(size) or base64.b64decode(said[2]) != root:
        raise Bad("MANIFEST.note speaks of another checkpoint")
    listed = dict(reversed(line.split("  ", 1)) for line in manifest.decode().splitlines())
    for path, digest in listed.items():
        if files.sha256(path) != digest:
            raise Bad(f"{path} has another SHA-256 than listed")
    added = files.known - set(listed) - {"MANIFEST.sha256", "MANIFEST.note"}
    if added:
        raise Bad(f"{sorted(added)[0]} was added: the manifest does not list it")
    return len(listed)


def check_stamps(files, size, root, authority):
    stamps = files.json("timestamps.json", [])
    for stamp in stamps:
        n = stamp["size"]
        said = checkpoint(files.text(f"timestamps/{n}.txt").splitlines(), files.text("checkpoint.txt").splitlines()[0])
        if said[0] != n or not consistent(n, said[1], size, root, decoded(stamp["consistency"])):
            raise Bad(f"timestamps/{n}.txt is no prefix of this ledger")
        if authority:
            with tempfile.TemporaryDirectory() as folder:
                for end in ("txt", "tsr"):
                    with open(os.path.join(folder, end), "wb") as f:
                        f.write(files.bytes(f"timestamps/{n}.{end}"))
                tsr = ["-in", os.path.join(folder, "tsr")]
                shown = subprocess.run(["openssl", "ts", "-reply", "-text", *tsr], capture_output=True, text=True).stdout
                stated = re.search(r"Time stamp: (\w+ +\d+ [\d:]+)(?:\.\d+)? (\d+) GMT", shown)
                if not stated:
                    raise Bad(f"timestamps/{n}.tsr states no time")
                # The certificate had to be good then, not today.
                at = calendar.timegm(time.strptime(" ".join(stated.groups()), "%b %d %H:%M:%S %Y"))
                done = subprocess.run(["openssl", "ts", "-verify", "-data", os.path.join(folder, "txt"), *tsr, "-CAfile",
                                       authority, "-attime", str(at)], capture_output=True)
            if done.returncode != 0:
                raise Bad(f"timestamps/{n}.tsr does not verify: {done.stderr.decode().strip()}")
    return len(stamps)


def check(place, given, authority):
    files = Files(place)
    first = parse_key(files.text("public-key.txt"))
    name, key, spans = signer_of(files, first)
    if given and parse_key(given) not in [(name, k) for _, _, k in spans] + [(name, key)]:
        raise Bad("public-key.txt is another key than the one given, and was not handed over from or to it")
    size, root = checkpoint(open_note(files.text("checkpoint.txt"), name, key), name)
    listed = check_manifest(files, name, key, size, root)
    proofs = files.json("proofs.json", None)
    start, end = (proofs["range"] or (0, 0)) if proofs else (0, size)
    paths = {p["seq"]: decoded(p["path"]) for p in proofs["proofs"]} if proofs else {}
    tree, beside, handed, count = Tree(), Beside(files), [], 0
    for height, h in (proofs or {}).get("left", []):
        tree.push(base64.b64decode(h), height)
    if tree.size != start:
        raise Bad("proofs.json does not cover what is before the range")
    for seq, data, entry in entries_of(files):
        count += 1
        if seq == 0 and (entry["kind"] != "ledger.opened" or parse_key(entry["payload"]["public_key"]) != first):
            raise Bad("public-key.txt is another key than entry 0 names")
        if start <= seq < end:
            if tree.size != seq:
                raise Bad(f"entry {tree.size} is missing")
            tree.push(leaf(data))
        elif root_from_path(leaf(data), seq, size, paths.get(seq, [])) != root:
            raise Bad(f"entry {seq} is not proved to be in the ledger")
        if entry["kind"] == "ledger.key":
            handed.append((seq, entry["payload"]["public_key"], entry["v"]))
        beside.check(seq, data, entry)
    beside.check_erasures()
    if beside.kept:
        raise Bad(f"openings.ndjson opens values of entry {min(beside.kept)}, which is not here")
    if end > start:
        if tree.size != end:
            raise Bad(f"entry {tree.size} is missing")
        for height, h in (proofs or {}).get("right", []):
            tree.push(base64.b64decode(h), height)
        if (tree.size, tree.root()) != (size, root):
            raise Bad("the entries do not give the root of the checkpoint")
    check_keys(spans, handed, size, root)
    stamps = check_stamps(files, size, root, authority)
    stamped = f"; {stamps} time-stamps {'good' if authority else 'not checked: give --tsa-ca'}" if stamps else ""
    print(f"{listed} files listed, {listed} present, 0 added; {count} entries, all proved to size {size}; signature "
          f"good; {beside.open} private values open, {beside.erased} erased, {beside.withheld} withheld, their places "
          f"proved{stamped}")


def option(arguments, name):
    if name not in arguments:
        return None
    i = arguments.index(name)
    value = arguments[i + 1]
    del arguments[i:i + 2]
    return value


def main():
    arguments = sys.argv[1:]
    key, authority = option(arguments, "--key"), option(arguments, "--tsa-ca")
    if len(arguments) != 1:
        print(__doc__)
        return 2
    if not openssl_is_there():
        print("this needs the openssl command, version 3 or later: nothing was checked")
        return 2
    try:
        check(arguments[0], key, authority)
        return 0
    except (Bad, KeyError, IndexError, ValueError, TypeError, AttributeError, RecursionError, zipfile.BadZipFile,
            OSError) as e:
        print(f"DOES NOT HOLD: {e}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
