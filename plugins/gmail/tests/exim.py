"""A real mail server for the tests: Exim on loopback, with TLS, a login, and a mailbox in a folder of its own."""

from __future__ import annotations

import asyncio
import mailbox
import os
import pwd
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.message import Message as Email
from pathlib import Path

from pimgr.house.certificates import Authority

EXIM = "/usr/sbin/exim4"
USER, PASSWORD = "house@example.org", "app pass-word$:1"
CONFIG = r"""
exim_user = {user}
exim_group = {group}
deliver_drop_privilege = true
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
pid_file_path = {folder}/pid
primary_hostname = mail.example.org
qualify_domain = example.org
keep_environment =
local_interfaces = 127.0.0.1
daemon_smtp_ports = {tls} : {starttls}
tls_on_connect_ports = {tls}
tls_advertise_hosts = *
tls_certificate = {folder}/server.pem
tls_privatekey = {folder}/server.pem
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
smtp_accept_max = 5
message_size_limit = 1M
acl_smtp_rcpt = recipient
host_lookup =
rfc1413_hosts =

begin acl
recipient:
  deny
    message = no such mailbox here
    recipients = nobody@example.com
  accept
    authenticated = *
  deny
    message = relay not permitted

begin routers
everybody:
  driver = accept
  transport = box

begin transports
box:
  driver = appendfile
  directory = {folder}/box
  maildir_format
  check_string =
  message_prefix =
  message_suffix =
  user = {user}
  group = {group}
  delivery_date_add
  envelope_to_add

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{login}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
"""


@dataclass
class Exim:
    """`tls` and `starttls`: its ports. `ca`: the file that vouches for it."""

    folder: Path
    tls: int
    starttls: int
    ca: Path

    @property
    def log(self) -> str:
        log = self.folder / "mainlog"
        return log.read_text() if log.exists() else ""

    async def mails(self, count: int) -> list[Email]:
        """What lies in the mailbox, as its reader gets it, once `count` mails are in it."""
        async with asyncio.timeout(20.0):
            while self.log.count("Completed\n") < count:  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.02)
        return list(mailbox.Maildir(self.folder / "box"))


@asynccontextmanager
async def exim(folder: Path) -> AsyncIterator[Exim]:
    """A server that has no mail yet; it ends with all its children."""
    server = _prepare(folder)
    process = await asyncio.create_subprocess_exec(
        *(EXIM, "-bdf", "-C", str(folder / "exim.conf")), stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        await _listening(server.tls, process)
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        await process.wait()


def _prepare(folder: Path) -> Exim:
    """Its config, which must be root's, and a folder that is its own: Exim doesn't deliver as root."""
    authority = Authority("the test's authority")
    whom = pwd.getpwnam("Debian-exim") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    tls, starttls = _free_ports(2)
    places = {"user": whom.pw_name, "group": whom.pw_gid, "folder": folder, "tls": tls, "starttls": starttls}
    config = CONFIG.format(**places, login=USER, password=PASSWORD.replace("$", r"\$"))
    (folder / "exim.conf").write_text(config)
    (folder / "ca.pem").write_text(authority.pem)
    (folder / "server.pem").write_text(authority.issue("mail.example.org").pem)
    (folder / "spool").mkdir()
    for own in (folder, folder / "server.pem", folder / "spool") if os.geteuid() == 0 else ():
        os.chown(own, whom.pw_uid, whom.pw_gid)
    for parent in folder.parents if os.geteuid() == 0 else ():
        if parent == Path(tempfile.gettempdir()):
            break
        parent.chmod(parent.stat().st_mode | 0o011)
    return Exim(folder, tls, starttls, folder / "ca.pem")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(20.0):
        while True:
            assert process.returncode is None, "exim ended"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return
