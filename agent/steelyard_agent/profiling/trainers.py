"""Which processes can be profiled, and what is known of each."""

from steelyard_agent.jobs.facts import ProcessFacts, ProcessReader
from steelyard_agent.profiling.roster import FILE, Roster, Trainer
from steelyard_agent.profiling.step_log import StepLog

Pair = tuple[Trainer, ProcessFacts]


def trainers_of(roster: Roster, reader: ProcessReader, steps: StepLog) -> list[Pair]:
    """Those that ask, and the other ranks for which a helper asks: of the same job and user, known by their steps."""
    found = [(trainer, who) for trainer in roster.all() if (who := reader.read(trainer.pid))]
    seen = {trainer.pid for trainer, _ in found}
    for trainer, who in [pair for pair in found if pair[0].asker not in (FILE, pair[0].pid)]:
        for pid in steps.pids():
            other = None if pid in seen else reader.read(pid)
            if other is not None and (other.job.id, other.uid) == (who.job.id, who.uid):
                seen.add(pid)
                found.append((roster.another(trainer, pid), other))
    return found
