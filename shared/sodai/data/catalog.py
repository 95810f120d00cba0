"""Every data set of the shared volume: its name, place, producer, grain and contract."""

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
    return Dataset(f"reports/{file}", f"reports/{{as_of}}/{file}", stage, "one page a period")


# Aliases of the registered model in MLflow, and the roles of the models that a run compares.
CHAMPION, CHALLENGER = "champion", "challenger"

PAIR = ["customer_id", "product_id"]
# Models are chosen by lists of this length, and published weeks are evaluated at it, whatever `--k` is.
LIST_LENGTH = 10

CUSTOMER_ID = Column("customer_id", "int64", "customer (shop)")
PRODUCT_ID = Column("product_id", "int64", "product")
PAIR_COLUMNS = (CUSTOMER_ID, PRODUCT_ID)
FEATURE_COLUMNS = tuple(feature.column for feature in FEATURES)

# A folder laid out like this is what DATA= of `make run` takes.
RAW = Dataset("raw", "raw", "the business", "one file that the business dropped")

# Another run of the stage begins with what the ledger tells.
LEDGER = Dataset(
    "ledger",
    "warehouse/ledger.json",
    EXTRACT,
    "one record: files read, partitions in force",
    rebuild_option="--reload",
)

TRANSACTIONS = Dataset(
    "transactions",
    "warehouse/transactions",
    EXTRACT,
    "one purchase: what an order holds of a product after cancellations, more than zero units",
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

# One partition a week like TRANSACTIONS, with what a later drop needs to be netted against.
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
            Column("file_key", "int64", "raw file it counts for: first 12 digits of its hash"),
        ),
        key=("customer_id", "product_id", "order_id", "purchase_date", "items"),
    ),
)

# One partition a raw file.
QUARANTINE = Dataset(
    "quarantine",
    "warehouse/quarantine",
    EXTRACT,
    "one line of a raw file that cannot be used, or not yet",
    Contract(
        (
            Column("file", "string", "name of the raw file"),
            Column("row", "int64", "position in the file, 0 = first"),
            Column("reason", "string", "every reason, separated by semicolons"),
            Column("found", "string", "the line as it stands in the file", nullable=True),
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

QUALITY = _weekly(EXTRACT, "quality.json", "one record: rows in, kept, put right, quarantined")
QUALITY_PAGE = _page(EXTRACT, "quality.html")

# A folder with a file a period, which pyarrow and pandas read as one table in order of the key.
TRAINING = _weekly(
    FEATURES_STAGE,
    "training.parquet",
    "one candidate of one closed period; `cutoff` is that period's first day",
    Contract(
        (
            Column("cutoff", "date32", "first day of the period that the target counts"),
            *PAIR_COLUMNS,
            Column("target", "int8", "1 if bought in the period", minimum=0, maximum=1),
            *FEATURE_COLUMNS,
        ),
        key=("cutoff", "customer_id", "product_id"),
    ),
)

# The files of TRAINING, kept for the next run under a key of all that their rows are made of; any run may
# remove them, so they are no result of the one that wrote them.
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
    "one period of TRAINING or SCORING: its volume as forecast on its first day",
    Contract(
        (
            Column("cutoff", "date32", "first day of the period"),
            Column("horizon_days", "int32", "length of the period", "days", minimum=1),
            Column("level", "float64", "pairs expected in an ordinary period", "pairs", minimum=0),
            Column("calendar", "float64", "times this, for holidays and time of the month", minimum=0),
            Column("expected_pairs", "float64", "level times calendar", "pairs", minimum=0),
            Column("realised_pairs", "int64", "pairs bought in a closed period", "pairs", nullable=True),
        ),
        key=("cutoff",),
    ),
)

DECISION = _weekly(DRIFT, "decision.json", "one record: branch taken, rule that fired, every signal")
DRIFT_TABLE = _weekly(
    DRIFT,
    "drift.parquet",
    "one tested column",
    Contract(
        (
            Column("column", "string", "feature tested, or prediction: the champion's log-odds"),
            Column("grain", "string", "what one row of the sample represents: customer or product"),
            Column("method", "string", "distance, as Evidently calls it"),
            Column("threshold", "float64", "a distance of it or more is drift"),
            Column("score", "float64", "distance"),
            Column("drifted", "bool", "whether the column drifted"),
            Column("n_current", "int64", "values of this week", minimum=1),
            Column("n_reference", "int64", "values of the reference", minimum=1),
        ),
        key=("column", "grain"),
    ),
)
DRIFT_REPORT = _weekly(
    DRIFT, "drift.json", "one record: the share that drifted, DRIFT_TABLE, and what was left out and why"
)
DRIFT_PAGE = _page(DRIFT, "drift.html")

# A model is a folder with model.skops (the estimator, no pickle) and model.json (its model card).
RETRAINED_MODEL = _weekly(RETRAIN, "model", "one model folder: the challenger")
LOADED_MODEL = _weekly(LOAD, "model", "one model folder: the champion")
PUBLISHED_MODEL = _weekly(EVALUATE, "model", "one model folder: the model that the week is published with")
REFERENCE = _weekly(
    RETRAIN,
    "reference.parquet",
    "one customer or one product of one training period: the features that a champion was trained on",
    Contract(
        (
            Column("cutoff", "date32", "first day of the period"),
            Column("grain", "string", "what the row represents: customer or product"),
            *PAIR_COLUMNS,
            *FEATURE_COLUMNS,
        ),
        key=("cutoff", "grain", "customer_id", "product_id"),
        # Champions keep the file that they were registered with.
        former_names=(("unit", "grain"),),
    ),
)
# Outside the stage's folder: an interrupted search must outlive the try that it belonged to.
STUDIES = Dataset("studies", "studies/{as_of}", RETRAIN, "one Optuna journal for each search of a period")
TRIALS = _weekly(RETRAIN, "trials.json", "one record: the Optuna study")

EVALUATION = _weekly(EVALUATE, "evaluation.json", "one record: figures by model and baseline, promotion")

IMPORTANCE = _weekly(
    INTERPRET,
    "importance.parquet",
    "one feature",
    Contract(
        (
            Column("feature", "string", "feature"),
            Column("group", "string", "customer, product, pair or time"),
            Column("mean_abs_contribution", "float64", "mean absolute SHAP value", "log-odds", minimum=0),
            Column("share", "float64", "part of the sum over all features", minimum=0, maximum=1),
        ),
        key=("feature",),
    ),
)
REASONS = _weekly(
    INTERPRET,
    "reasons.parquet",
    "one of the three strongest reasons behind one recommended product",
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
            Column("selected", "bool", "in the predicted purchase set"),
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
# Between the stage's own folder, which is replaced when it publishes, and the shards that come before.
_SHARDS_FOLDER = "weeks/{{as_of}}/score_candidates/{shard}"
SCORES = Contract(
    (
        *PAIR_COLUMNS,
        Column("log_odds", "float64", "of at least one purchase in a period of usual volume"),
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
            Column("rule", "string", "rule that decided"),
            Column("model_version", "string", "version that the week was published with"),
            Column("promoted", "bool", "whether this run moved the champion"),
            Column("drift_share", "float64", "share of tested columns that drifted", nullable=True),
            Column("roc_auc", "float64", "on the newest closed period", nullable=True),
            Column("average_precision", "float64", "on the newest closed period", nullable=True),
            Column("recall_at_10", "float64", "on the newest closed period", nullable=True),
            Column("ndcg_at_10", "float64", "on the newest closed period", nullable=True),
            Column("set_f1", "float64", "on the newest closed period", nullable=True),
            Column("n_candidates", "int64", "scored pairs"),
            Column("n_selected", "int64", "pairs in the predicted set"),
            Column("expected_pairs", "float64", "expected number of pairs that buy"),
            Column("realised_pairs", "float64", "pairs that bought, known a period later", nullable=True),
            Column("realised_set_f1", "float64", "of the published set, known a period later", nullable=True),
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
        # The history lasts longer than the code that wrote it.
        former_names=tuple(
            (f"{metric}_at_k", f"{metric}_at_10") for metric in ("recall", "ndcg", "realised_recall")
        ),
    ),
)
RUN_PAGE = _page(METRICS, "index.html")


def shard_scores(shard: str) -> Dataset:
    """The scores of one shard of SCORING, `0-of-3` for example, which generate_predictions joins."""
    folder = _SHARDS_FOLDER.format(shard=shard)
    grain = "one candidate of a shard, before the volume of the period is counted in"
    return Dataset(
        f"score_candidates/{shard}", f"{folder}/scores.parquet", PREDICT, grain, SCORES, publish_root=folder
    )


def shard_origin(shard: str) -> Dataset:
    """What a shard was scored from, beside its scores."""
    folder = _SHARDS_FOLDER.format(shard=shard)
    return Dataset(
        f"score_candidates/{shard}/origin.json",
        f"{folder}/origin.json",
        PREDICT,
        "one record: model and candidates",
        publish_root=folder,
    )


def run_record(stage: str, shard: str = "") -> Dataset:
    """The record that the CLI edge leaves of a stage's newest run: time, memory and result line.

    Args:
        stage: its name.
        shard: where the run was one of several that share the stage.
    """
    folder = _SHARDS_FOLDER.format(shard=shard) if shard else f"weeks/{{as_of}}/{stage}"
    return Dataset(f"{stage}/run.json", f"{folder}/run.json", stage, "one record: time, memory, result")


def skip_record(stage: str) -> Dataset:
    """What a stage leaves when it skips; its next run replaces the folder, and the record goes with it."""
    place = f"weeks/{{as_of}}/{stage}/skipped.json"
    return Dataset(f"{stage}/skipped.json", place, stage, "one record: the run whose result still stands")


ALL_DATASETS = (
    LEDGER, TRANSACTIONS, LINES, QUARANTINE, CUSTOMERS, PRODUCTS, QUALITY, QUALITY_PAGE, TRAINING,
    SCORING, FORECASTS, DECISION, DRIFT_TABLE, DRIFT_REPORT, DRIFT_PAGE,
    RETRAINED_MODEL, LOADED_MODEL, PUBLISHED_MODEL, REFERENCE, TRIALS, EVALUATION, IMPORTANCE, REASONS,
    SHAP_PAGE, PREDICTIONS, RECOMMENDATIONS, PREDICTION_SUMMARY, HISTORY, RUN_PAGE,
)  # fmt: skip
