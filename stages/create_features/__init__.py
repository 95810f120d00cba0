"""Makes candidate customer-product pairs and their point-in-time features."""
