"""The pure ring: what pimgr decides, and why. Imports the standard library, `pimgr.api` and `pimgr.units` only."""
