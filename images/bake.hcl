# The list of images, all built from images/Dockerfile; images/build.sh sets the variables.
variable "TAG" { default = "latest" }
variable "VERSION" { default = "" }
variable "REVISION" { default = "" }
variable "UV_VERSION" {}
# File with the certificate authorities of the building machine; empty for none.
variable "CA" { default = "" }

group "default" { targets = ["stage", "service"] }

target "common" {
  dockerfile = "images/Dockerfile"
  args = { UV_VERSION = UV_VERSION, VERSION = VERSION, REVISION = REVISION }
  secret = CA == "" ? [] : ["id=ca,src=${CA}"]
}

target "stage" {
  inherits = ["common"]
  name = stage
  matrix = {
    stage = [
      "extract_and_validate_data",
      "create_features",
      "detect_data_drift",
      "retrain_model",
      "load_existing_model",
      "evaluate_model",
      "analyze_interpretability",
      "generate_predictions",
      "log_pipeline_metrics",
    ]
  }
  target = "stage"
  args = { STAGE = stage }
  tags = ["sodai/${stage}:${TAG}"]
}

target "service" {
  inherits = ["common"]
  name = service
  matrix = { service = ["airflow", "mlflow", "postgres"] }
  target = service
  tags = ["sodai/${service}:${TAG}"]
}

# Built only on request: make image STAGE=spark.
target "spark" {
  inherits = ["common"]
  target = "spark"
  tags = ["sodai/spark:${TAG}"]
}
