"""Who holds a folder: a process, told from all others of all machines."""

import os
import secrets
from pathlib import Path
from typing import Annotated

import msgspec

from wcgan_tf.core import machine
from wcgan_tf.core.process import is_gone

BOOT, NAMESPACE = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")


class Owner(msgspec.Struct, frozen=True):
    """owner.json: the process that holds a folder."""

    host: str
    boot: str  # id of the host's start; "" if it is not known
    namespace: str  # of process ids; containers have their own
    pid: Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
    started: str  # the process's start, in the system's own unit
    token: str  # of this holding

    @classmethod
    def me(cls) -> "Owner":
        """This process, with a new token."""
        boot = BOOT.read_text().strip() if BOOT.exists() else ""
        namespace = str(NAMESPACE.readlink()) if NAMESPACE.is_symlink() else ""
        return cls(machine.host(), boot, namespace, os.getpid(), started_at(os.getpid()), secrets.token_hex(8))

    def is_gone(self, me: "Owner", locked: bool) -> bool:
        """Whether this process has surely ended; False if that cannot be known from here, as of another container.

        Args:
            locked: whether `me` has the system's lock, so that an earlier holding by this same process is over.
        """
        if not me.boot or (self.boot, self.namespace) != (me.boot, me.namespace):
            return False
        if (self.pid, self.started) == (me.pid, me.started):
            return locked
        return is_gone(self.pid) or started_at(self.pid) not in ("", self.started)


def in_words(other: Owner | None) -> str:
    return f"process {other.pid} on {other.host}" if other else "another process"


def started_at(pid: int) -> str:
    """When a process of this machine started, in the system's own unit; "" if that cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "ended" if fields[0] == "Z" else fields[19]
