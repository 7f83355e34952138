"""A real RFC 3161 authority on loopback: `openssl ts` behind HTTP. Writes ca.pem and other-ca.pem into the given folder.

/good answers, /replay answers every question with the answer to the first one, /other is another authority, /refuse
grants nothing, /noise sends bytes that are no answer."""

import http.server
import pathlib
import subprocess
import sys

folder = pathlib.Path(sys.argv[1])
CONFIG = """
[tsa]
default_tsa = tsa_config
[tsa_config]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[ext]
extendedKeyUsage = critical,timeStamping
"""


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def authority(name):
    """A certificate authority and its time-stamping certificate."""
    ca, key, cert = (folder / f"{name}{end}" for end in ("ca.pem", "tsa.key", "tsa.pem"))
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / f"{name}ca.key", "-out", ca, "-days",
            2, "-subj", f"/CN={name}authority")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", folder / f"{name}tsa.csr", "-subj",
            f"/CN={name}time-stamps")
    openssl("x509", "-req", "-in", folder / f"{name}tsa.csr", "-CA", ca, "-CAkey", folder / f"{name}ca.key",
            "-CAcreateserial", "-out", cert, "-days", 2, "-extfile", folder / "tsa.cnf", "-extensions", "ext")


def reply(question, name):
    (folder / "question").write_bytes(question)
    openssl("ts", "-reply", "-config", folder / "tsa.cnf", "-queryfile", folder / "question", "-inkey",
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


(folder / "tsa.cnf").write_text(CONFIG.format(folder=folder))
(folder / "serial").write_text("01\n")
authority("")
authority("other-")
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
