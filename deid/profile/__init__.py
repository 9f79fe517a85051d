"""What the user asked for: YAML and PS3.15 options compiled into a Plan."""
