"""The catalog: name, path, producer, grain and contract of every data set of the shared volume."""

from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from sodai.data.contracts import Column, Contract
from sodai.data.feature_catalog import FEATURES

EXTRACT = "extract_and_validate_data"
FEATURES_STAGE = "create_features"
DRIFT = "detect_data_drift"
RETRAIN = "retrain_model"
LOAD = "load_existing_model"
EVALUATE = "evaluate_model"
INTERPRET = "analyze_interpretability"
PREDICT = "generate_predictions"
METRICS = "log_pipeline_metrics"

STAGES = (EXTRACT, FEATURES_STAGE, DRIFT, RETRAIN, LOAD, EVALUATE, INTERPRET, PREDICT, METRICS)


@dataclass(frozen=True)
class Dataset:
    """A file or folder of the volume.

    Attributes:
        name: name of the data set in messages.
        path_template: path below the root of the volume, with `{as_of}` where each week has its own.
        producer: stage that writes it.
        grain: what one row, record or page represents.
        contract: columns of a table; no columns for everything else.
        publish_root: file or folder that is replaced as a whole when the producer commits; empty for the
            data set's own path.
        rebuild_option: option with which the producer rebuilds a damaged data set; empty if a plain
            rerun does.
    """

    name: str
    path_template: str
    producer: str
    grain: str
    contract: Contract = Contract(())
    publish_root: str = ""
    rebuild_option: str = ""

    @property
    def remedy(self) -> str:
        """Return the command that rebuilds a damaged data set, for messages: "run <remedy>"."""
        return f"{self.producer} {self.rebuild_option or 'again'}"

    def relative_path(self, as_of: date | None) -> PurePosixPath:
        """Return the path below the root of the volume for the period that starts on `as_of`."""
        return PurePosixPath(self.path_template.format(as_of=as_of))

    def relative_publish_root(self, as_of: date | None) -> str:
        """Return the path of the publish root below the root of the volume."""
        return (self.publish_root or self.path_template).format(as_of=as_of)


def _weekly(stage: str, file: str, grain: str, contract: Contract = Contract(())) -> Dataset:
    folder = f"weeks/{{as_of}}/{stage}"
    return Dataset(f"{stage}/{file}", f"{folder}/{file}", stage, grain, contract, publish_root=folder)


def _page(stage: str, file: str) -> Dataset:
    return Dataset(f"reports/{file}", f"reports/{{as_of}}/{file}", stage, "one page per period")


# Aliases of the registered model in MLflow, and the roles of the models that a run compares.
CHAMPION, CHALLENGER = "champion", "challenger"

PAIR = ["customer_id", "product_id"]
# Models are selected and published weeks are evaluated on lists of this length, whatever `--k` is.
LIST_LENGTH = 10

CUSTOMER_ID = Column("customer_id", "int64", "customer (shop)")
PRODUCT_ID = Column("product_id", "int64", "product")
PAIR_COLUMNS = (CUSTOMER_ID, PRODUCT_ID)
FEATURE_COLUMNS = tuple(feature.column for feature in FEATURES)

# DATA= of `make run` takes a folder with this layout.
RAW = Dataset("raw", "raw", "the business", "one file that the business dropped")

# The stage starts from its previous ledger, so a plain rerun cannot replace a damaged one.
LEDGER = Dataset(
    "ledger",
    "warehouse/ledger.json",
    EXTRACT,
    "one record: files read and the current partition files",
    rebuild_option="--reload",
)

TRANSACTIONS = Dataset(
    "transactions",
    "warehouse/transactions",
    EXTRACT,
    "one purchase: a product in an order, after cancellations, more than zero units",
    Contract(
        (
            *PAIR_COLUMNS,
            Column("order_id", "int64", "order: one customer and one date"),
            Column("purchase_date", "date32", "day of the order"),
            Column("n_units", "float64", "net quantity", "units", minimum=0),
        ),
        key=("order_id", "customer_id", "product_id", "purchase_date"),
    ),
)

# One partition a week like TRANSACTIONS. Later files may cancel lines, so netting needs all of them.
LINES = Dataset(
    "lines",
    "warehouse/lines",
    EXTRACT,
    "one valid line of a raw file, exact duplicates counted once",
    Contract(
        (
            *PAIR_COLUMNS,
            Column("order_id", "int64", "order: one customer and one date"),
            Column("purchase_date", "date32", "day of the order"),
            Column("items", "float64", "quantity as the business wrote it"),
            Column("n_units", "float64", "quantity, negative in a cancellation", "units"),
            Column("file_key", "int64", "raw file that the line is counted in: first 12 digits of its hash"),
        ),
        key=("customer_id", "product_id", "order_id", "purchase_date", "items"),
    ),
)

# One partition per raw file.
QUARANTINE = Dataset(
    "quarantine",
    "warehouse/quarantine",
    EXTRACT,
    "one line of a raw file that cannot be used, or cannot be used yet",
    Contract(
        (
            Column("file", "string", "name of the raw file"),
            Column("row", "int64", "position in the file, 0 = first"),
            Column("reason", "string", "every reason, separated by semicolons"),
            Column("found", "string", "the line as it is in the file", nullable=True),
            *(Column(c.name, c.type, c.description, nullable=True) for c in LINES.contract.columns[:-1]),
            Column("file_key", "int64", "raw file: first 12 digits of its hash"),
            Column("faults", "int16", "the reasons as bits"),
        ),
        key=("file_key", "row"),
    ),
)

CUSTOMERS = _weekly(
    EXTRACT,
    "customers.parquet",
    "one customer",
    Contract(
        (
            CUSTOMER_ID,
            Column("region_id", "int64", "sales region", nullable=True),
            Column("zone_id", "int64", "sales zone", nullable=True),
            Column("customer_type", "string", "kind of shop", nullable=True),
            Column("y", "float64", "latitude", "degrees", nullable=True),
            Column("x", "float64", "longitude", "degrees", nullable=True),
            Column("num_deliver_per_week", "float64", "planned deliveries", "1/week", nullable=True),
            Column("num_visit_per_week", "float64", "planned visits", "1/week", nullable=True),
        ),
        key=("customer_id",),
    ),
)

PRODUCTS = _weekly(
    EXTRACT,
    "products.parquet",
    "one product",
    Contract(
        (
            PRODUCT_ID,
            Column("brand", "string", "brand", nullable=True),
            Column("category", "string", "category", nullable=True),
            Column("sub_category", "string", "sub-category", nullable=True),
            Column("segment", "string", "price segment", nullable=True),
            Column("package", "string", "package", nullable=True),
            Column("size", "float64", "content", "litres", nullable=True),
        ),
        key=("product_id",),
    ),
)

QUALITY = _weekly(EXTRACT, "quality.json", "one record: rows read, kept, corrected and quarantined")
QUALITY_PAGE = _page(EXTRACT, "quality.html")

# A folder with one file per period, which pyarrow and pandas read as one table in order of the key.
TRAINING = _weekly(
    FEATURES_STAGE,
    "training.parquet",
    "one candidate of one closed period",
    Contract(
        (
            Column("cutoff", "date32", "first day of the period of the target"),
            *PAIR_COLUMNS,
            Column("target", "int8", "1 if bought in the period", minimum=0, maximum=1),
            *FEATURE_COLUMNS,
        ),
        key=("cutoff", "customer_id", "product_id"),
    ),
)

# Files of TRAINING for the next run, named by a hash of everything their rows depend on. Any run may remove
# them, so they are not an output of the run that wrote them.
TRAINING_CACHE = Dataset(
    "training_cache", "features/training", FEATURES_STAGE, "the rows of one closed period", TRAINING.contract
)

SCORING = _weekly(
    FEATURES_STAGE,
    "scoring.parquet",
    "one candidate of the period to predict, in the order of the key",
    Contract((*PAIR_COLUMNS, *FEATURE_COLUMNS), key=("customer_id", "product_id")),
)

FORECASTS = _weekly(
    FEATURES_STAGE,
    "forecasts.parquet",
    "one period of TRAINING or SCORING: its demand as forecast on its first day",
    Contract(
        (
            Column("cutoff", "date32", "first day of the period"),
            Column("horizon_days", "int32", "length of the period", "days", minimum=1),
            Column("level", "float64", "pairs expected in an ordinary period", "pairs", minimum=0),
            Column("calendar", "float64", "factor for holidays and the time of the month", minimum=0),
            Column("expected_pairs", "float64", "level times calendar", "pairs", minimum=0),
            Column("realised_pairs", "int64", "pairs bought in a closed period", "pairs", nullable=True),
        ),
        key=("cutoff",),
    ),
)

DECISION = _weekly(DRIFT, "decision.json", "one record: branch, rule that fired, every signal")
DRIFT_TABLE = _weekly(
    DRIFT,
    "drift.parquet",
    "one tested column",
    Contract(
        (
            Column("column", "string", "feature, or prediction: the champion's log-odds"),
            Column("grain", "string", "grain of the sample: customer or product"),
            Column("method", "string", "distance, by its name in Evidently"),
            Column("threshold", "float64", "smallest distance that is drift"),
            Column("score", "float64", "distance"),
            Column("drifted", "bool", "whether the column drifted"),
            Column("n_current", "int64", "values of this week", minimum=1),
            Column("n_reference", "int64", "values of the reference", minimum=1),
        ),
        key=("column", "grain"),
    ),
)
DRIFT_REPORT = _weekly(
    DRIFT, "drift.json", "one record: drift share, DRIFT_TABLE, and the columns left out with reasons"
)
DRIFT_PAGE = _page(DRIFT, "drift.html")

# A model is a folder with model.skops (the estimator, not pickled) and model.json (its model card).
RETRAINED_MODEL = _weekly(RETRAIN, "model", "one model folder: the challenger")
LOADED_MODEL = _weekly(LOAD, "model", "one model folder: the champion")
PUBLISHED_MODEL = _weekly(EVALUATE, "model", "one model folder: the model that predicts the week")
REFERENCE = _weekly(
    RETRAIN,
    "reference.parquet",
    "one customer or one product of one training period: the drift reference of a model",
    Contract(
        (
            Column("cutoff", "date32", "first day of the period"),
            Column("grain", "string", "grain of the row: customer or product"),
            *PAIR_COLUMNS,
            *FEATURE_COLUMNS,
        ),
        key=("cutoff", "grain", "customer_id", "product_id"),
        # A champion keeps the file that it was registered with.
        former_names=(("unit", "grain"),),
    ),
)
# Outside the stage's folder, so that an interrupted search survives its attempt.
STUDIES = Dataset("studies", "studies/{as_of}", RETRAIN, "one Optuna journal for each search of a period")
TRIALS = _weekly(RETRAIN, "trials.json", "one record: the Optuna study")

EVALUATION = _weekly(EVALUATE, "evaluation.json", "one record: metrics by model and baseline, promotion")

IMPORTANCE = _weekly(
    INTERPRET,
    "importance.parquet",
    "one feature",
    Contract(
        (
            Column("feature", "string", "feature"),
            Column("group", "string", "customer, product, pair or time"),
            Column("mean_abs_contribution", "float64", "mean absolute SHAP value", "log-odds", minimum=0),
            Column("share", "float64", "share of the sum over all features", minimum=0, maximum=1),
        ),
        key=("feature",),
    ),
)
REASONS = _weekly(
    INTERPRET,
    "reasons.parquet",
    "one of the three strongest reasons for one recommended product",
    Contract(
        (
            *PAIR_COLUMNS,
            Column("position", "int32", "1 = strongest", minimum=1, maximum=3),
            Column("feature", "string", "feature"),
            Column("value", "string", "its value", nullable=True),
            Column("contribution", "float64", "SHAP value", "log-odds"),
            Column("direction", "string", "raises or lowers"),
            Column("phrase", "string", "the reason in words"),
        ),
        key=("customer_id", "product_id", "position"),
    ),
)
SHAP_PAGE = _page(INTERPRET, "shap.html")

_PREDICTIONS_FOLDER = "predictions/week={as_of}"
PREDICTIONS = Dataset(
    "predictions",
    f"{_PREDICTIONS_FOLDER}/predictions.parquet",
    PREDICT,
    "one candidate of the period to predict",
    Contract(
        (
            Column("week", "date32", "first day of the period"),
            *PAIR_COLUMNS,
            Column("probability", "float64", "of at least one purchase in the period", minimum=0, maximum=1),
            Column("rank", "int32", "1 = best, per customer", minimum=1),
            Column("selected", "bool", "in the purchase set"),
            Column("model_version", "string", "version in the registry"),
        ),
        key=("week", "customer_id", "product_id"),
    ),
    publish_root=_PREDICTIONS_FOLDER,
)
RECOMMENDATIONS = Dataset(
    "recommendations",
    f"{_PREDICTIONS_FOLDER}/recommendations.json",
    PREDICT,
    "one record: the best k products of every customer, indexed by customer",
    publish_root=_PREDICTIONS_FOLDER,
)
# Not below the folder of generate_predictions, which is replaced after the shards are written.
_SHARDS_FOLDER = "weeks/{{as_of}}/score_candidates/{shard}"
SCORES = Contract(
    (
        *PAIR_COLUMNS,
        Column("log_odds", "float64", "of at least one purchase in a period of usual demand"),
        Column("rank", "int32", "1 = best, per customer", minimum=1),
    ),
    key=("customer_id", "product_id"),
)
PREDICTION_SUMMARY = _weekly(PREDICT, "summary.json", "one record: counts, expected pairs, expected F1")

HISTORY = Dataset(
    "history",
    "history/runs.parquet",
    METRICS,
    "one run of one period",
    Contract(
        (
            Column("as_of", "date32", "first day of the period"),
            Column("horizon_days", "int32", "length of the period", "days", minimum=1),
            Column("branch", "string", "retrain_model or load_existing_model"),
            Column("rule", "string", "rule that chose the branch"),
            Column("model_version", "string", "version that the week was predicted with"),
            Column("promoted", "bool", "whether this run promoted its challenger"),
            Column("drift_share", "float64", "share of tested columns that drifted", nullable=True),
            Column("roc_auc", "float64", "on the newest closed period", nullable=True),
            Column("average_precision", "float64", "on the newest closed period", nullable=True),
            Column("recall_at_10", "float64", "on the newest closed period", nullable=True),
            Column("ndcg_at_10", "float64", "on the newest closed period", nullable=True),
            Column("set_f1", "float64", "on the newest closed period", nullable=True),
            Column("n_candidates", "int64", "scored pairs"),
            Column("n_selected", "int64", "pairs in the purchase set"),
            Column("expected_pairs", "float64", "expected number of pairs bought"),
            Column("realised_pairs", "float64", "pairs bought, known a period later", nullable=True),
            Column(
                "realised_set_f1",
                "float64",
                "of the published set, known a period later",
                nullable=True,
            ),
            Column("realised_recall_at_10", "float64", "of the published lists", nullable=True),
            Column(
                "challenger_lead",
                "float64",
                "NDCG of this week's challenger minus its champion's on this period, known a period later",
                nullable=True,
            ),
            Column("wall_seconds", "float64", "sum over the stages", "seconds"),
            Column("peak_memory_mib", "float64", "largest of the stages", "MiB"),
        ),
        key=("as_of",),
        # The history outlives the code that wrote its first rows.
        former_names=tuple(
            (f"{metric}_at_k", f"{metric}_at_10") for metric in ("recall", "ndcg", "realised_recall")
        ),
    ),
)
RUN_PAGE = _page(METRICS, "index.html")


def shard_scores(shard: str) -> Dataset:
    """Return the scores of one shard of SCORING, `0-of-3` for example; generate_predictions joins them."""
    folder = _SHARDS_FOLDER.format(shard=shard)
    grain = "one candidate of a shard, before the shift to the expected demand"
    return Dataset(
        f"score_candidates/{shard}", f"{folder}/scores.parquet", PREDICT, grain, SCORES, publish_root=folder
    )


def shard_origin(shard: str) -> Dataset:
    """Return the record of the model and the candidates that a shard was scored from."""
    folder = _SHARDS_FOLDER.format(shard=shard)
    return Dataset(
        f"score_candidates/{shard}/origin.json",
        f"{folder}/origin.json",
        PREDICT,
        "one record: model and candidates",
        publish_root=folder,
    )


def run_record(stage: str, shard: str = "") -> Dataset:
    """Return the run record of a stage: time, memory and result line of its newest run.

    Args:
        stage: name of the stage.
        shard: name of the shard if the run scored only one, otherwise empty.
    """
    folder = _SHARDS_FOLDER.format(shard=shard) if shard else f"weeks/{{as_of}}/{stage}"
    return Dataset(f"{stage}/run.json", f"{folder}/run.json", stage, "one record: time, memory, result")


def skip_record(stage: str) -> Dataset:
    """Return the record of a skipped run, which the stage's next run removes with its folder."""
    path = f"weeks/{{as_of}}/{stage}/skipped.json"
    return Dataset(f"{stage}/skipped.json", path, stage, "one record: the run whose result is still valid")


ALL_DATASETS = (
    LEDGER, TRANSACTIONS, LINES, QUARANTINE, CUSTOMERS, PRODUCTS, QUALITY, QUALITY_PAGE, TRAINING,
    SCORING, FORECASTS, DECISION, DRIFT_TABLE, DRIFT_REPORT, DRIFT_PAGE,
    RETRAINED_MODEL, LOADED_MODEL, PUBLISHED_MODEL, REFERENCE, TRIALS, EVALUATION, IMPORTANCE, REASONS,
    SHAP_PAGE, PREDICTIONS, RECOMMENDATIONS, PREDICTION_SUMMARY, HISTORY, RUN_PAGE,
)  # fmt: skip
