"""A joint space of eight settings on three small workloads, paid for in FLOPs."""
