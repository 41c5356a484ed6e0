"""Which settings of a run may not change."""

import copy

from wcgan_tf.runs.recorded_settings import differences


def test_only_settings_that_define_the_model_count(config):
    before = config.to_dict()
    config.train.max_steps, config.train.device, config.dataset.root = 700, "gpu", "elsewhere"
    assert differences(before, config.to_dict()) == []
    config.train.gp_weight = 3.0
    assert differences(before, config.to_dict()) == ["train.gp_weight (10.0 there, 3.0 here)"]


def test_a_setting_that_is_newer_than_a_run_has_its_default_there(config):
    before = copy.deepcopy(config.to_dict())
    del before["train"]["penalty"], before["train"]["pretraining"]
    assert differences(before, config.to_dict()) == []
    config.train.pretraining = 3.0
    assert differences(before, config.to_dict()) == ["train.pretraining (0.0 there, 3.0 here)"]
