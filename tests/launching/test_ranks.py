"""Which labels a rank takes: tables of the variables that schedulers set, and the shares of labels."""

import pytest

from wcgan_tf.core.errors import UserError
from wcgan_tf.launching.ranks import Share, from_environment

ARRAY = {"SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_STEP": "1"}
STEP = {"SLURM_STEP_ID": "0"}


@pytest.mark.parametrize(
    ("environment", "share"),
    [
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "10", **STEP}, Share(3, 10, "SLURM_PROCID")),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, Share(0, 1, "SLURM_PROCID")),
        (
            {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "10", "SLURM_ARRAY_TASK_MAX": "9", **ARRAY},
            Share(7, 10, "SLURM_ARRAY_TASK_ID"),
        ),
        (  # --array=3,7: the numbers are labels
            {
                "SLURM_ARRAY_TASK_ID": "7",
                "SLURM_ARRAY_TASK_COUNT": "2",
                "SLURM_ARRAY_TASK_MIN": "3",
                "SLURM_ARRAY_TASK_MAX": "7",
            },
            Share(7, None, "SLURM_ARRAY_TASK_ID"),
        ),
        (  # --array=0,2: a gap
            {"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_ARRAY_TASK_MAX": "2", **ARRAY},
            Share(2, None, "SLURM_ARRAY_TASK_ID"),
        ),
        (  # an array goes before its element's task, which always exists
            {
                "SLURM_ARRAY_TASK_ID": "1",
                "SLURM_ARRAY_TASK_COUNT": "2",
                "SLURM_ARRAY_TASK_MAX": "1",
                "SLURM_PROCID": "0",
                "SLURM_NTASKS": "1",
                **ARRAY,
                **STEP,
            },
            Share(1, 2, "SLURM_ARRAY_TASK_ID"),
        ),
        (  # four tasks in each of two elements
            {
                "SLURM_ARRAY_TASK_ID": "1",
                "SLURM_ARRAY_TASK_COUNT": "2",
                "SLURM_ARRAY_TASK_MAX": "1",
                "SLURM_PROCID": "2",
                "SLURM_NTASKS": "4",
                **ARRAY,
                **STEP,
            },
            Share(6, 8, "SLURM_ARRAY_TASK_ID, SLURM_PROCID"),
        ),
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "4"}, Share(1, 4, "OMPI_COMM_WORLD_RANK")),
        ({"JOB_COMPLETION_INDEX": "5"}, Share(5, None, "JOB_COMPLETION_INDEX")),
        (  # mpirun inside a job: Slurm's rank is that of the daemon which started it
            {
                "OMPI_COMM_WORLD_RANK": "3",
                "OMPI_COMM_WORLD_SIZE": "4",
                "SLURM_PROCID": "1",
                "SLURM_NTASKS": "2",
                **STEP,
            },
            Share(3, 4, "OMPI_COMM_WORLD_RANK"),
        ),
        (  # mpirun in the batch script itself
            {"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4", "SLURM_PROCID": "0", "SLURM_NTASKS": "4"},
            Share(3, 4, "OMPI_COMM_WORLD_RANK"),
        ),
        (
            {"JSM_NAMESPACE_RANK": "3", "JSM_NAMESPACE_SIZE": "6", "LSB_JOBINDEX": "0"},
            Share(3, 6, "JSM_NAMESPACE_RANK"),
        ),
        ({"PALS_RANKID": "3", "PMI_RANK": "3", "PMI_SIZE": "6"}, Share(3, 6, "PALS_RANKID")),
        ({"PMI_RANK": "1", "PMI_SIZE": "4", "MPI_LOCALRANKID": "1"}, Share(1, 4, "PMI_RANK")),
        ({"PMI_RANK": "1", "PMI_SIZE": "4"}, Share(1, 4, "PMI_RANK")),
        (  # Hydra starts its processes by srun, one task per node
            {
                "PMI_RANK": "5",
                "PMI_SIZE": "8",
                "MPI_LOCALRANKID": "1",
                "SLURM_PROCID": "1",
                "SLURM_NTASKS": "2",
                **STEP,
            },
            Share(5, 8, "PMI_RANK"),
        ),
        (  # srun in the shell of another srun, which left its PMI behind
            {"PMI_RANK": "0", "PMI_SIZE": "1", "SLURM_PROCID": "3", "SLURM_NTASKS": "4", **STEP},
            Share(3, 4, "SLURM_PROCID"),
        ),
        ({"SLURM_PROCID": "0"}, Share(0, 1, "SLURM_PROCID")),  # a batch script without a number of tasks
        ({"FLUX_TASK_RANK": "2", "FLUX_JOB_SIZE": "4"}, Share(2, 4, "FLUX_TASK_RANK")),
        ({"FLUX_JOB_CC": "2", "FLUX_TASK_RANK": "0", "FLUX_JOB_SIZE": "1"}, Share(2, None, "FLUX_JOB_CC")),
        ({"PBS_ARRAY_INDEX": "4"}, Share(4, None, "PBS_ARRAY_INDEX")),
        ({"PBS_ARRAYID": "4"}, Share(4, None, "PBS_ARRAYID")),
        ({"LSB_JOBINDEX": "4", "LSB_JOBINDEX_END": "10"}, Share(3, None, "LSB_JOBINDEX")),
        (
            {"SGE_TASK_ID": "4", "SGE_TASK_FIRST": "1", "SGE_TASK_LAST": "5", "SGE_TASK_STEPSIZE": "1"},
            Share(3, 5, "SGE_TASK_ID"),
        ),
        (  # -t 2-8:2
            {"SGE_TASK_ID": "4", "SGE_TASK_FIRST": "2", "SGE_TASK_LAST": "8", "SGE_TASK_STEPSIZE": "2"},
            Share(3, None, "SGE_TASK_ID"),
        ),
        (  # no array
            {"SGE_TASK_ID": "undefined", "SGE_TASK_FIRST": "undefined", "PMI_RANK": "0", "PMI_SIZE": "2"},
            Share(0, 2, "PMI_RANK"),
        ),
        (  # mpirun in an element of an array
            {
                "SLURM_ARRAY_TASK_ID": "1",
                "SLURM_ARRAY_TASK_COUNT": "2",
                "SLURM_ARRAY_TASK_MAX": "1",
                "OMPI_COMM_WORLD_RANK": "2",
                "OMPI_COMM_WORLD_SIZE": "4",
                "SLURM_PROCID": "0",
                "SLURM_NTASKS": "4",
                **ARRAY,
            },
            Share(6, 8, "SLURM_ARRAY_TASK_ID, OMPI_COMM_WORLD_RANK"),
        ),
    ],
)
def test_the_rank_comes_from_the_scheduler(environment, share):
    assert from_environment(environment) == share


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, r"finds no rank: none of SLURM_ARRAY_TASK_ID, .* is set; type --label=3"),
        ({"SLURM_PROCID": ""}, "finds no rank"),
        ({"SLURM_PROCID": "-1"}, "SLURM_PROCID is '-1', which is no number"),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "10"}, "this is one process, not one of Slurm's 10 tasks"),
        (  # --array=3,7 --ntasks=2
            {
                "SLURM_ARRAY_TASK_ID": "3",
                "SLURM_ARRAY_TASK_COUNT": "2",
                "SLURM_ARRAY_TASK_MIN": "3",
                "SLURM_ARRAY_TASK_MAX": "7",
                "SLURM_PROCID": "1",
                "SLURM_NTASKS": "2",
                **STEP,
            },
            "every one of the 2 tasks of this array element would take label 3",
        ),
    ],
)
def test_a_missing_rank_is_an_error_with_a_command(environment, words):
    with pytest.raises(UserError, match=words):
        from_environment(environment)


@pytest.mark.parametrize(("labels", "ranks"), [(10, 10), (10, 3), (10, 16), (1, 1), (1000, 7)])
def test_all_ranks_together_take_each_label_once(labels, ranks):
    shares = [Share(rank, ranks, "").of(list(range(labels))) for rank in range(ranks)]
    assert sorted(label for share in shares for label in share) == list(range(labels))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_rank_takes_every_nth_label():
    assert Share(1, 3, "").of([2, 5, 7, 8, 11]) == [5, 11]
    assert Share(1, None, "").of([2, 5, 7]) == [5]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        (
            {
                "SLURM_ARRAY_TASK_ID": "3",
                "SLURM_ARRAY_TASK_MIN": "1",
                "SLURM_ARRAY_TASK_MAX": "10",
                "SLURM_ARRAY_TASK_COUNT": "10",
                "SLURM_ARRAY_TASK_STEP": "1",
            },
            r"SLURM_ARRAY_TASK_ID goes to 10, and there are 10 labels, 0 to 9; submit it with --array=0-9",
        ),
        (
            {"PBS_ARRAY_INDEX": "10"},
            r"PBS_ARRAY_INDEX is 10, and there are 10 labels, 0 to 9; submit it with -J 0-9",
        ),
        (
            {"LSB_JOBINDEX": "2", "LSB_JOBINDEX_END": "11"},
            r"LSB_JOBINDEX goes to 11, and there are 10 labels, 1 to 10; submit it with -J name\[1-10\]",
        ),
        (
            {"SGE_TASK_ID": "4", "SGE_TASK_FIRST": "4", "SGE_TASK_LAST": "11"},
            r"SGE_TASK_ID goes to 11, and there are 10 labels, 1 to 10; submit it with -t 1-10",
        ),
        ({"JOB_COMPLETION_INDEX": "10"}, r"JOB_COMPLETION_INDEX is 10, and there are 10 labels, 0 to 9$"),
    ],
)
def test_an_array_that_does_not_fit_the_labels_says_what_to_type(environment, words):
    with pytest.raises(UserError, match=words):
        from_environment(environment).of(list(range(10)))


def test_an_impossible_rank_is_named():
    with pytest.raises(UserError, match="X is 10, and there are 10 labels, 0 to 9"):
        Share(10, None, "X").of(list(range(10)))
    with pytest.raises(UserError, match="X is 4 of 4; the first rank is 0"):
        Share(4, 4, "X").of(list(range(10)))
