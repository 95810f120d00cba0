"""What the business and its tables are: data sets, columns, periods, features."""
