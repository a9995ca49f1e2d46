from enum import StrEnum


class Rule(StrEnum):
    """What always holds of the data, by the name of what it would be if it did not."""

    CHANGE_WITHOUT_EVENT = "change_without_event"
    EVENT_WITHOUT_CHANGE = "event_without_change"
    EVENT_MISSING_IN_SEQUENCE = "event_missing_in_sequence"
    EVENT_COUNTER_OFF = "event_counter_off"
    TASK_WITHOUT_PROJECT = "task_without_project"
    TASK_NUMBER_AHEAD = "task_number_ahead"
    COMPLETION_OFF = "completion_off"
    LABEL_OF_OTHER_PROJECT = "label_of_other_project"
    WORKSPACE_WITHOUT_OWNER = "workspace_without_owner"
    JOB_DEAD_UNSEEN = "job_dead_unseen"
    JOB_ABANDONED = "job_abandoned"
