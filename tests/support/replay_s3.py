"""Serves one recorded reply of S3 in the given folder (`listing.xml`, and `attributes.xml` of every object) on loopback. Prints the
port, and leaves in `expected.json` what Python's own parser makes of the listing: version ids by key, with entity tag and size."""

import http.server
import json
import pathlib
import sys
import urllib.parse
import xml.etree.ElementTree

import granted

folder = pathlib.Path(sys.argv[1])
listing = (folder / "listing.xml").read_bytes()
attributes = (folder / "attributes.xml").read_bytes()
root = xml.etree.ElementTree.fromstring(listing)
tag = lambda element: element.tag.rsplit("}")[-1]
text = lambda element, name: next((e.text for e in element if tag(e) == name), None)
key = urllib.parse.unquote_plus if text(root, "EncodingType") == "url" else str
items = [e for e in root if tag(e) in ("Version", "DeleteMarker")]
stored = lambda e: [text(e, "ETag").strip('"'), int(text(e, "Size"))] if tag(e) == "Version" else [None, None]
(folder / "expected.json").write_text(json.dumps({
    "bucket": text(root, "Name") or "bucket", "markers": [text(root, "NextKeyMarker"), text(root, "NextVersionIdMarker")],
    "there": [[key(text(e, "Key")), text(e, "VersionId"), *stored(e)] for e in items]}))
END = b"<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>"
NONE = b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>"


class Replay(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query, keep_blank_values=True)
        with open(folder / "asked", "a") as log:
            log.write(self.path + "\n")
        if "versions" in asked:
            first = "delimiter" not in asked and "key-marker" not in asked
            status, body = (403 if tag(root) == "Error" else 200, listing) if first else (200, END)
        elif "attributes" in asked:
            status, body = 200, attributes
        elif "tagging" in asked:
            status, body = 200, b"<Tagging><TagSet/></Tagging>"
        else:
            status, body = 404, NONE
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        granted.note(self.command, self.path, dict(self.headers), "", {})

    def do_HEAD(self):
        self.send_response_only(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        granted.note(self.command, self.path, dict(self.headers), "", {})


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Replay)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
