"""A volume in a bucket: stages work on a checkout and push it as one manifest."""
