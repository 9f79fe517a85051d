"""What must outlive the process: the key, the queue, the crosswalk and the audit trail."""
