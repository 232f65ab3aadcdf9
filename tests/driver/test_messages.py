"""What workers are sent lies in files and goes over networks."""

import pickle

from autolr.config import read_config
from autolr.driver.controller import TrialController
from autolr.driver.work import Work
from autolr.study import open_study


def test_a_worker_is_not_sent_the_password_of_the_storage(tmp_path):
    url = "postgresql+psycopg://me:Pa55@host/runs?password=Pa55"
    config = read_config({"tune": {"storage": url, "space": {"lr": [0.1]}}})
    handle = open_study(f"sqlite:///{tmp_path}/runs.db", "s")
    work = TrialController(config, handle, None, 10, lambda event: None).next()
    assert isinstance(work, Work)
    assert b"postgresql+psycopg://me:***@host/runs" in pickle.dumps(work.job)
    assert b"Pa55" not in pickle.dumps(work.job)
