"""Plugins of other people, installed beside this release: each change is a new folder, and a link that is flipped."""

from pimgr.installs.added import Added, look
from pimgr.installs.generation import Allowed, Generation, Untrusted, folder

__all__ = ["Added", "Allowed", "Generation", "Untrusted", "folder", "look"]
