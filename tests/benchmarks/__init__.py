"""Programs that measure the pipeline, and the rules and recommenders that it is compared with."""
