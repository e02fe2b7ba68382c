"""Worlds to learn in; `mmbt.envs.world` is the interface they share."""
