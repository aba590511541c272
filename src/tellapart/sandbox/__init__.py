"""Strangers' photos decoded by other processes, which can do nothing else."""
