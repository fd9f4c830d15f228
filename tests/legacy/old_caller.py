"""A caller of daebus 0.0.31: one job a line on stdin, one answer a line on stdout."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from daebus import DaebusCaller

caller = DaebusCaller(sys.argv[1], redis_port=int(sys.argv[2]))


def ask(job):
    progress = []
    try:
        reply = caller.send_request(
            job["action"], job["payload"], timeout=job.get("timeout"), on_progress=progress.append
        )
        return {"reply": reply, "progress": progress}
    except Exception as error:
        return {"error": str(error), "kind": type(error).__name__}


def burst(job):
    with ThreadPoolExecutor(job["threads"]) as pool:
        answers = list(pool.map(ask, [job] * job["count"]))
    return {"failed": [answer for answer in answers if "error" in answer]}


def answer(job):
    if job["do"] == "ask":
        return ask(job)
    if job["do"] == "burst":
        return burst(job)
    if job["do"] == "message":
        return {"heard": caller.send_message(job["channel"], job["payload"])}
    return {"heard": caller.send_to_service(job["payload"], action=job["action"])}


time.sleep(0.1)  # its constructor does not wait for the subscription
print("{}", flush=True)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
