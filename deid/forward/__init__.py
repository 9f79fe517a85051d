"""Ways out: each returns when the other side has the object, or says why not."""
