"""Every environment variable that a stage reads."""

ENV_DATA = "SODAI_DATA"
ENV_TRACKING_URI = "MLFLOW_TRACKING_URI"
ENV_ENGINE = "SODAI_ENGINE"
ENV_SPARK = "SODAI_SPARK"
# Folder of this machine that keeps files of object stores.
ENV_CACHE = "SODAI_CACHE"
