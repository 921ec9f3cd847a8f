"""`make bench`: what pimgr promises in seconds, bytes and MiB, measured on this machine. See docs/benchmarks.md."""
