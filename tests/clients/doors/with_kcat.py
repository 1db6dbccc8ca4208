"""kcat, as work.py says. It does not stay: a reader that is started by hand is started again by hand."""

import subprocess
import threading

from work import main


def settings(job):
    found = {
        "security.protocol": job.protocol, "sasl.mechanism": job.mechanism, "sasl.username": job.user, "sasl.password": job.password,
    }
    if job.ca:
        found["ssl.ca.location"] = job.ca
    return ["kcat", "-b", job.bootstrap, *(word for pair in found.items() for word in ("-X", "=".join(pair)))]


def run(job, arguments, given=b""):
    program = subprocess.Popen(settings(job) + arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    job.ending = program.kill
    program.stdin.write(given)
    program.stdin.close()

    def listen():
        for line in program.stderr:
            job.said(line.decode(errors="replace"))

    def count():
        for line in program.stdout:
            partition, offset = line.split()[:2]
            job.read([(int(partition), int(offset), 0)])

    threads = [threading.Thread(target=listen), threading.Thread(target=count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return program.wait()


def read(job):
    run(job, ["-c", "5", "-u", "-f", "%p %o\n", "-X", f"auto.offset.reset={job.reset}", "-G", job.group, job.topic])


def produce(job):
    if run(job, ["-P", "-t", job.topic], b"x\n") == 0:
        job.wrote(0, 0)


if __name__ == "__main__":
    main(read, produce)
