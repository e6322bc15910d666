"""corosync.conf: grammar, schema, checks."""
