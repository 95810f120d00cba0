"""Read, check and load the raw files of the business."""
