"""Blocking clients of the C libraries' IPC (libqb): for tools, against stock daemons and ours."""
