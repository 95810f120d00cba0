"""Every environment variable that the code of a stage reads.

The object store's library also takes credentials from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
AWS_SESSION_TOKEN.
"""

ENV_DATA = "SODAI_DATA"
ENV_TRACKING_URI = "MLFLOW_TRACKING_URI"
ENV_ENGINE = "SODAI_ENGINE"
ENV_SPARK = "SODAI_SPARK"
# Folder of this machine that keeps files of object stores.
ENV_CACHE = "SODAI_CACHE"
ENV_S3_REGION = "AWS_REGION"
ENV_S3_DEFAULT_REGION = "AWS_DEFAULT_REGION"
ENV_S3_ENDPOINT = "AWS_ENDPOINT_URL"
