"""Exim on loopback with implicit TLS, STARTTLS, a login that is demanded, and delivery into files, for tests.

Takes a folder, and writes ca.pem, starttls.port (the second port) and box.path (where mails are delivered) into it.
Prints the port of implicit TLS. The login is night / owl-in-the-dark. Exim does not deliver as root, so it has a folder
of its own, which ends with it.
"""

import os
import pathlib
import pwd
import signal
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import smtp_server as tls

folder = pathlib.Path(sys.argv[1])
own = pathlib.Path(tempfile.mkdtemp(prefix="actledger-exim-"))
user = pwd.getpwnam("Debian-exim" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


tls.certificate(folder)
(own / "box").mkdir()
shutil.copy(folder / "server.pem", own / "server.pem")
wrapped, starttls = free_port(), free_port()
(own / "conf").write_text(f"""
primary_hostname = localhost
spool_directory = {own}/spool
log_file_path = {own}/%slog
pid_file_path = {own}/pid
exim_user = {user.pw_name}
exim_group = {user.pw_gid}
daemon_smtp_ports = {wrapped} : {starttls}
tls_on_connect_ports = {wrapped}
local_interfaces = 127.0.0.1
tls_advertise_hosts = *
tls_certificate = {own}/server.pem
tls_privatekey = {own}/server.pem
auth_advertise_hosts = ${{if def:tls_in_cipher {{*}}}}
acl_smtp_mail = known
acl_smtp_rcpt = known
message_size_limit = 20M
begin acl
known:
  accept authenticated = *
  deny message = log in first
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  directory = {own}/box
  directory_mode = 0755
  mode = 0644
  user = {user.pw_name}
  envelope_to_add
  return_path_add
begin authenticators
login:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and {{{{eq{{$auth2}}{{night}}}} {{eq{{$auth3}}{{owl-in-the-dark}}}}}}}}
  server_set_id = $auth2
""")
if os.geteuid() == 0:
    for path in [own, own / "box", own / "server.pem"]:
        os.chown(path, user.pw_uid, user.pw_gid)
own.chmod(0o755)
exim = subprocess.Popen(["/usr/sbin/exim4", "-C", own / "conf", "-bdf"], stdin=subprocess.DEVNULL)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
for _ in range(100):
    with socket.socket() as s:
        if s.connect_ex(("127.0.0.1", wrapped)) == 0:
            break
    time.sleep(0.05)
(folder / "starttls.port").write_text(str(starttls))
(folder / "box.path").write_text(str(own / "box"))
print(wrapped, flush=True)
try:
    exim.wait()
finally:
    exim.terminate()
    exim.wait()
    shutil.rmtree(own, ignore_errors=True)
