"""What the service is told: a YAML file compiled into frozen records."""
