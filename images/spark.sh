#!/bin/sh
# Start a process of the Spark cluster: master, worker, or connect (the server that stages connect to).
set -eu

host=$(hostname -i)
master=spark://spark-master:7077
case $1 in
    master)
        exec "$SPARK_HOME/bin/spark-class" org.apache.spark.deploy.master.Master --host spark-master --port 7077
        ;;
    worker)
        exec "$SPARK_HOME/bin/spark-class" org.apache.spark.deploy.worker.Worker --host "$host" --webui-port 8081 \
            --work-dir /tmp/work --cores "$SODAI_SPARK_CORES" --memory "${SODAI_SPARK_MEMORY_MIB}m" "$master"
        ;;
    connect)
        # An executor needs 384 MiB outside its heap.
        exec "$SPARK_HOME/bin/spark-submit" --master "$master" --name sodai --conf spark.driver.host="$host" \
            --conf spark.executor.memory="$((SODAI_SPARK_MEMORY_MIB - 384))m" \
            --class org.apache.spark.sql.connect.service.SparkConnectServer spark-internal
        ;;
    *)
        echo "spark: found $1, expected master, worker or connect" >&2
        exit 2
        ;;
esac
