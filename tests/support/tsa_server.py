"""A real RFC 3161 authority on loopback: `openssl ts` behind HTTP. Writes ca.pem and other-ca.pem into the given folder.

/good answers, /precise with microseconds, /older names its certificate by SHA-1; /replay answers every question with
the answer to the first one, /other is another authority, /mixed signs with a certificate that is for mail as well,
/unnamed without naming its certificate, /cades
like it and names it, /refuse grants nothing, /noise sends bytes that are no answer."""

import http.server
import pathlib
import subprocess
import sys

folder = pathlib.Path(sys.argv[1])
SECTION = """
[{name}]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = {ess}
clock_precision_digits = {digits}
"""
EXTENSIONS = """
[ext]
extendedKeyUsage = critical,timeStamping
[mixed]
extendedKeyUsage = critical,timeStamping,emailProtection
"""


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def certificate(name, ca, extensions):
    """A certificate for time-stamping by an authority."""
    key, request, cert = (folder / f"{name}tsa.{end}" for end in ("key", "csr", "pem"))
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}time-stamps")
    openssl("x509", "-req", "-in", request, "-CA", folder / f"{ca}ca.pem", "-CAkey", folder / f"{ca}ca.key",
            "-CAcreateserial", "-out", cert, "-days", 2, "-extfile", folder / "tsa.cnf", "-extensions", extensions)


def authority(name):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / f"{name}ca.key", "-out",
            folder / f"{name}ca.pem", "-days", 2, "-subj", f"/CN={name}authority")
    certificate(name, name, "ext")


def tlv(tag, body):
    length = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + length + body


def signed_otherwise(question, name, *more):
    """What `openssl ts` would not sign: the same statement by `openssl cms`."""
    reply(question, "")
    openssl("ts", "-reply", "-in", folder / "answer", "-token_out", "-out", folder / "token")
    openssl("cms", "-verify", "-noverify", "-inform", "DER", "-in", folder / "token", "-binary", "-out", folder / "info")
    openssl("cms", "-sign", "-binary", "-nodetach", "-nosmimecap", "-econtent_type", "1.2.840.113549.1.9.16.1.4", "-in",
            folder / "info", "-signer", folder / f"{name}tsa.pem", "-inkey", folder / f"{name}tsa.key", "-outform", "DER",
            "-out", folder / "token", *more)
    return tlv(0x30, tlv(0x30, b"\x02\x01\x00") + (folder / "token").read_bytes())


def reply(question, name, section="plain"):
    (folder / "question").write_bytes(question)
    openssl("ts", "-reply", "-config", folder / "tsa.cnf", "-section", section, "-queryfile", folder / "question", "-inkey",
            folder / f"{name}tsa.key", "-signer", folder / f"{name}tsa.pem", "-out", folder / "answer")
    return (folder / "answer").read_bytes()


class Handler(http.server.BaseHTTPRequestHandler):
    first = None

    def do_POST(self):
        question = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/good":
            answer = reply(question, "")
        elif self.path == "/replay":
            answer = Handler.first = Handler.first or reply(question, "")
        elif self.path == "/other":
            answer = reply(question, "other-")
        elif self.path in ("/precise", "/older"):
            answer = reply(question, "", self.path[1:])
        elif self.path == "/mixed":
            answer = signed_otherwise(question, "mixed-", "-cades")
        elif self.path == "/unnamed":
            answer = signed_otherwise(question, "")
        elif self.path == "/cades":
            answer = signed_otherwise(question, "", "-cades")
        elif self.path == "/refuse":
            answer = bytes.fromhex("30053003020102")
        else:
            answer = b"noise" * 3
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


(folder / "tsa.cnf").write_text(EXTENSIONS + "".join(
    SECTION.format(name=name, folder=folder, ess=ess, digits=digits)
    for name, ess, digits in (("plain", "sha256", 0), ("precise", "sha256", 6), ("older", "sha1", 0))))
(folder / "serial").write_text("01\n")
authority("")
authority("other-")
certificate("mixed-", "", "mixed")
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
