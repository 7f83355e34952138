"""AWS on loopback (moto: S3, CloudWatch Logs, EC2, STS), and in front of it a network that can fail. Prints the port.

The file `faults` in the given folder holds a line per fault, `TIMES KIND PATTERN`: the next TIMES requests whose
`METHOD PATH?QUERY TARGET` matches the regular expression meet it, or the FIRST-LAST ones of them. The file `asked` gets a line per request.
The file `page` says how many objects a page of a list has, if not five."""

import html
import http.client
import http.server
import json
import logging
import os
import pathlib
import random
import re
import sys
import threading
import time
import urllib.parse

folder = pathlib.Path(sys.argv[1])
PAGE = (folder / "page").read_text() if (folder / "page").exists() else "5"
os.environ["MOTO_S3_DEFAULT_MAX_KEYS"] = PAGE
import granted  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402  the limit is read at import

logging.getLogger("werkzeug").setLevel(logging.ERROR)
behind = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
behind.start()
PORT = behind.get_host_and_port()[1]
lock, met = threading.Lock(), {}
REFUSALS = {
    "500": (500, "InternalError", "We encountered an internal error. Please try again."),
    "slow": (503, "SlowDown", "Please reduce your request rate."),
    "expired": (400, "ExpiredToken", "The provided token has expired."),
    "kms": (403, "AccessDenied", "User: arn:aws:iam::111122223333:user/a is not authorized to perform: kms:Decrypt on "
            "resource: arn:aws:kms:eu-central-1:111122223333:key/k because no identity-based policy allows it"),
    "invalid": (400, "InvalidRequest", "The object was stored using a form of Server Side Encryption."),
    "vanished": (404, "NoSuchKey", "The specified key does not exist."),
    "denied": (403, "AccessDenied", "Access Denied"),
}


def fault(request):
    """The fault that a request meets, if any."""
    with lock, open(folder / "asked", "a") as asked:
        asked.write(request + "\n")
        for line in (folder / "faults").read_text().splitlines() if (folder / "faults").exists() else []:
            times, kind, pattern = line.split(" ", 2)
            if re.search(pattern, request):
                met[line] = met.get(line, 0) + 1
                first, last = times.split("-") if "-" in times else ("1", times)
                if int(first) <= met[line] <= int(last):
                    return kind
    return None


class Between(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.headers.get("X-Amz-Target", "")
        described = re.search(rb"Action=\S+", body)
        self.described = described[0].decode() if described else ""
        kind = fault(f"{self.command} {self.path} {target} {self.described}")
        if kind == "more":  # an empty page that is not the last one
            return self.answer(200, {"Content-Type": "application/x-amz-json-1.1"}, b'{"events": [], "nextToken": "later"}')
        if "FilterLogEvents" in target:
            asked = json.loads(body)
            if asked.get("nextToken") in ("again", "later"):
                del asked["nextToken"]
                body = json.dumps(asked).encode()
        if kind in REFUSALS and target:
            status, code, message = REFUSALS[kind]
            text = json.dumps({"__type": code, "message": message}).encode()
            return self.answer(status, {"Content-Type": "application/x-amz-json-1.1"}, text)
        if kind in REFUSALS:
            return self.refuse(*REFUSALS[kind])
        if kind == "throttled":
            text = b'{"__type":"ThrottlingException","message":"Rate exceeded"}'
            return self.answer(400, {"Content-Type": "application/x-amz-json-1.1"}, text)
        if kind == "replaced":
            signed = {"Authorization": self.headers["Authorization"]}
            self.forward("PUT", self.path.split("?")[0], b"2 - eni-1 - - - - - - - 1790000000 1790000060 - NODATA\n", signed)
        path = re.sub("(?<=[?&])continuation-token=[^&]*&?", "", self.path) if kind == "endless" else self.path
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query, keep_blank_values=True)
        if "versions" in asked and self.command == "GET":
            status, headers, text = self.versions(path.split("?")[0], {k: v[0] for k, v in asked.items()})
        else:
            status, headers, text = self.forward(self.command, path, body, dict(self.headers))
        # moto names the root of this reply after the call.
        text = re.sub(b"GetBucketVersioning(Response|Result|Output)", b"VersioningConfiguration", text)
        if kind == "checksum":
            headers["x-amz-checksum-crc32"] = "AAAAAA=="
        if kind == "endless":
            text = re.sub(b"<IsTruncated>.*?</IsTruncated>(<NextContinuationToken>.*?</NextContinuationToken>)?",
                          b"<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>", text)
            if "FilterLogEvents" in target:
                text = json.dumps({**json.loads(text), "nextToken": "again"}).encode()
        if kind == "replaced-null":  # a delete marker takes the place of a version "null"
            text = re.sub(rb"<(ETag|Size|StorageClass)>.*?</\1>", b"", text)
            text = text.replace(b"<Version>", b"<DeleteMarker>").replace(b"</Version>", b"</DeleteMarker>")
        if kind == "stuck":  # the next page begins where this one does
            here = re.search(b"<KeyMarker>(.*?)</KeyMarker>", text)
            text = re.sub(b"<NextKeyMarker>.*?</NextKeyMarker>(<NextVersionIdMarker>.*?</NextVersionIdMarker>)?",
                          b"<NextKeyMarker>" + (here[1] if here else b"") + b"</NextKeyMarker>", text)
        part = {"cut": random.randrange(max(1, len(text))), "stall": len(text) // 2}.get(kind)
        self.answer(status, headers, text, part)
        if kind == "stall":
            self.wfile.flush()
            time.sleep(120)

    def versions(self, bucket, asked):
        """ListObjectVersions as S3 pages it: moto loses a version behind a key marker alone, and does not encode keys."""
        prefix = urllib.parse.quote(asked.get("prefix", ""))
        signed = {"Authorization": self.headers["Authorization"]}
        status, headers, text = self.forward("GET", f"{bucket}?versions&max-keys=1000&prefix={prefix}", b"", signed)
        found = re.findall(b"<(Version|DeleteMarker)>(.*?)</\\1>", text, re.DOTALL)
        if status != 200:
            return status, headers, text
        items = [(html.unescape(re.search(b"<Key>(.*?)</Key>", inner)[1].decode()),
                  re.search(b"<VersionId>(.*?)</VersionId>", inner)[1].decode(), tag.decode(), inner.decode())
                 for tag, inner in found]
        items.sort(key=lambda i: i[0].encode())
        after, version = asked.get("key-marker", ""), asked.get("version-id-marker")
        rest = [i for i in items if i[0].encode() > after.encode()]
        if version:
            same = [i for i in items if i[0] == after]
            place = next(n for n, i in enumerate(same) if i[1] == version)
            rest = same[place + 1:] + rest
        encoded = (lambda key: urllib.parse.quote_plus(key, safe="/")) if asked.get("encoding-type") == "url" else html.escape
        if "delimiter" in asked:
            below = [i[0][len(asked.get("prefix", "")):] for i in rest]
            folders = sorted({asked.get("prefix", "") + b.split("/")[0] + "/" for b in below if "/" in b})
            body = "".join(f"<CommonPrefixes><Prefix>{encoded(f)}</Prefix></CommonPrefixes>" for f in folders)
            rest = []
        else:
            page = rest[:int(PAGE)]
            body = "".join(f"<{tag}>{re.sub('<Key>.*?</Key>', lambda _: f'<Key>{encoded(key)}</Key>', inner)}</{tag}>"
                           for key, _, tag, inner in page)
        more = len(rest) > int(PAGE)
        if more:
            body += f"<NextKeyMarker>{encoded(page[-1][0])}</NextKeyMarker><NextVersionIdMarker>{page[-1][1]}</NextVersionIdMarker>"
        kind = "<EncodingType>url</EncodingType>" if asked.get("encoding-type") == "url" else ""
        body = (f"<?xml version='1.0'?><ListVersionsResult><KeyMarker>{encoded(after)}</KeyMarker>{kind}"
                f"<IsTruncated>{str(more).lower()}</IsTruncated>{body}</ListVersionsResult>")
        return 200, {"Content-Type": "application/xml"}, body.encode()

    def forward(self, method, path, body, headers):
        to = http.client.HTTPConnection("127.0.0.1", PORT)
        headers = {k: v for k, v in headers.items() if k.lower() not in ("host", "content-length", "connection")}
        to.request(method, path, body, {**headers, "Host": f"127.0.0.1:{PORT}"})
        reply = to.getresponse()
        text = reply.read()
        return reply.status, dict(reply.getheaders()), text

    def refuse(self, status, code, message):
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        self.answer(status, {"Content-Type": "application/xml"}, text)

    def answer(self, status, headers, text, part=None):
        granted.note(self.command, self.path, dict(self.headers), self.described, headers)
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        if self.command != "HEAD" or "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(text)))
        else:
            self.send_header("Content-Length", headers["Content-Length"])
        if part is not None:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":  # bytes after such a reply would be taken for the next one
            self.wfile.write(text[:part])

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
