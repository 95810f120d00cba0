"""Select candidate customer-product pairs and compute their point-in-time features."""
