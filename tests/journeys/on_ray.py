"""A Ray of its own that serves a model by containers/ray-serve; does what it reads and says when it is done.

    python on_ray.py FOLDER_OF_APP MODEL PORT

Lines are `replicas N`, and `kill`, which ends one replica at once.
"""

import sys

import ray
from ray import serve

sys.path.insert(0, sys.argv[1])
from app import application


def replicas():
    return [one["name"] for one in ray.util.list_named_actors(all_namespaces=True) if "REPLICA" in one["name"]]


environment = {"env_vars": {"PYTHONPATH": sys.argv[1]}}  # replicas import the application too
ray.init(num_cpus=4, runtime_env=environment, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
serve.start(http_options={"port": int(sys.argv[3])}, logging_config={"log_level": "ERROR"})
serve.run(application({"model": sys.argv[2], "replicas": "2", "cores": "1"}))
print("ready", *replicas(), flush=True)
for line in sys.stdin:
    match line.split():
        case ["replicas", n]:
            serve.run(application({"model": sys.argv[2], "replicas": n, "cores": "1"}))
        case ["kill"]:
            ray.kill(ray.get_actor(replicas()[0], namespace="serve"))
    print("done", *replicas(), flush=True)
serve.shutdown()
ray.shutdown()
