"""A real SMTP server on loopback with STARTTLS, for tests. Writes ca.pem and received-N.eml into the given folder.

What it answers stands in the file `script` of that folder, read for each step: lines of `STEP ANSWER`, the first that fits
is used up. Steps are `mail`, `rcpt`, `data`, `end` (after the message); an answer is a line of SMTP, or `cut` (the
connection is closed with nothing said; after `end` the message was received).
"""

import asyncio
import datetime
import pathlib
import ssl
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .sign(key, hashes.SHA256()))
    pem = cert.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption())
    (folder / "ca.pem").write_bytes(pem)
    (folder / "server.pem").write_bytes(pem + private)


class Keep:
    """Keeps what it gets, unless the script says otherwise."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0

    def said(self, step, server):
        """What the script says of a step, once."""
        script = self.folder / "script"
        lines = script.read_text().splitlines() if script.exists() else []
        for i, line in enumerate(lines):
            name, _, answer = line.partition(" ")
            if name == step:
                script.write_text("\n".join(lines[:i] + lines[i + 1:]))
                if answer == "cut":
                    server.transport.abort()
                    return "421 cut"
                return answer
        return None

    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.mail_from = address
        return self.said("mail", server) or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = self.said("rcpt", server) or "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):
        answer = self.said("end", server)
        if answer is None or answer.startswith("421 cut"):
            head = f"X-Envelope: {envelope.mail_from} {' '.join(envelope.rcpt_tos)}\r\n".encode()
            (self.folder / f"received-{self.count}.eml").write_bytes(head + envelope.content)
            self.count += 1
        return answer or "250 kept"


async def main():
    from aiosmtpd.smtp import SMTP
    folder = pathlib.Path(sys.argv[1])
    certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    handler, loop = Keep(folder), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="localhost", tls_context=context, require_starttls=True), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
