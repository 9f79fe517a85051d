"""What happened, or would happen, told so that people can decide; no report of output holds a value of an original."""
