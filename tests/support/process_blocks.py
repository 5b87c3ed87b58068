"""Generates random processes of nested blocks that an instance can run through, with much compensation."""

from itertools import count

from hypothesis import strategies as st

from tests.support.bpmn_builder import ScopeBuilder, a_process
from uplift.domain.bpmn import ProcessModel

Block = tuple[str, tuple["Block", ...]]

_leaves = st.sampled_from(("task", "step", "pass")).map(lambda kind: (kind, ()))
_KINDS = (
    *("choice", "joined", "open", "merged", "partly joined", "loop"),
    *("sub", "sub step", "many", "many sequential", "watched", "interrupted", "beside"),
)
blocks = st.recursive(
    _leaves,
    lambda inner: st.tuples(st.sampled_from(_KINDS), st.lists(inner, min_size=2, max_size=3).map(tuple)),
    max_leaves=9,
)


class _Writer:
    """Writes blocks into scopes; each method returns the id of the last element, which continues."""

    def __init__(self) -> None:
        self._numbers = count()

    def write(self, scope: ScopeBuilder, block: Block, last: str) -> str:
        kind, inside = block
        scope.after(last)
        return str(getattr(self, f"_{kind.replace(' ', '_')}")(scope, inside, last))

    def _sequence(self, scope: ScopeBuilder, inside: tuple[Block, ...], last: str) -> str:
        for block in inside:
            last = self.write(scope, block, last)
        return last

    def _new(self, name: str) -> str:
        return f"{name}{next(self._numbers)}"

    def _task(self, scope: ScopeBuilder, _: object, last: str) -> str:
        task = self._new("task")
        scope.user_task(task)
        return task

    def _pass(self, scope: ScopeBuilder, _: object, last: str) -> str:
        throw = self._new("throw")
        scope.throw(throw, compensation=True)
        return throw

    def _step(self, scope: ScopeBuilder, _: object, last: str, **facts: str) -> str:
        step = self._new("step")
        scope.user_task(step, **facts)
        self._compensate(scope, step)
        return step

    def _compensate(self, scope: ScopeBuilder, activity: str) -> None:
        event = f"undo_{activity}"
        scope.boundary(event, on=activity, compensation=True).handler(f"handler_{activity}", of=event)

    def _branches(self, scope: ScopeBuilder, inside: tuple[Block, ...], kind: str) -> list[str]:
        fork = self._new("fork")
        scope.node(kind, fork)
        return [self.write(scope, block, fork) for block in inside]

    def _gather(self, scope: ScopeBuilder, kind: str, ends: list[str]) -> str:
        gateway = self._new("gather")
        scope.after(ends[0]).node(kind, gateway)
        for end in ends[1:]:
            scope.join(end, gateway)
        return gateway

    def _choice(self, scope: ScopeBuilder, inside: tuple[Block, ...], last: str) -> str:
        ends = self._branches(scope, inside, "exclusiveGateway")
        return self._gather(scope, "exclusiveGateway", ends)

    def _joined(self, scope: ScopeBuilder, inside: tuple[Block, ...], last: str) -> str:
        ends = self._branches(scope, inside, "parallelGateway")
        return self._gather(scope, "parallelGateway", ends)

    def _open(self, scope: ScopeBuilder, inside: tuple[Block, ...], last: str) -> str:
        return self._branches(scope, inside, "parallelGateway")[0]

    def _merged(self, scope: ScopeBuilder, inside: tuple[Block, ...], last: str) -> str:
        ends = self._branches(scope, inside, "parallelGateway")
        return self._gather(scope, "exclusiveGateway", ends)

    def _partly_joined(self, scope: ScopeBuilder, inside: tuple[Block, ...], last: str) -> str:
        ends = self._branches(scope, (*inside, inside[0]), "parallelGateway")
        return self._gather(scope, "parallelGateway", ends[:2])

    def _loop(self, scope: ScopeBuilder, inside: tuple[Block, ...], last: str) -> str:
        entry, again = self._new("entry"), self._new("again")
        scope.exclusive(entry)
        # An instance that never waits would go round for ever.
        end = self._sequence(scope, inside, self._task(scope, inside, entry))
        scope.after(end).exclusive(again).join(again, entry)
        return again

    def _sub(self, scope: ScopeBuilder, inside: tuple[Block, ...], last: str, **facts: str) -> str:
        sub = self._new("sub")
        start = f"start_{sub}"
        scope.sub(sub, lambda inner: self._sequence(inner.start(start), inside, start), **facts)
        return sub

    def _sub_step(self, scope: ScopeBuilder, inside: tuple[Block, ...], last: str) -> str:
        sub = self._sub(scope, inside, last)
        self._compensate(scope, sub)
        return sub

    def _many(self, scope: ScopeBuilder, inside: tuple[Block, ...], last: str) -> str:
        return self._sub(scope, inside, last, many="parallel")

    def _many_sequential(self, scope: ScopeBuilder, inside: tuple[Block, ...], last: str) -> str:
        return self._step(scope, inside, last, many="parallel")

    def _watched(self, scope: ScopeBuilder, inside: tuple[Block, ...], last: str) -> str:
        return self._with_event_subprocess(scope, inside, interrupting=len(inside) == 2)

    def _with_event_subprocess(
        self, scope: ScopeBuilder, inside: tuple[Block, ...], *, interrupting: bool
    ) -> str:
        sub, watch = self._new("sub"), self._new("watch")
        start, heard = f"start_{sub}", f"heard_{watch}"

        def fill(inner: ScopeBuilder) -> None:
            self._sequence(inner.start(start), inside[1:], start)
            inner.apart().event_sub(
                watch,
                heard,
                lambda event: self.write(event, inside[0], heard),
                interrupting=interrupting,
                message="M",
            )

        scope.sub(sub, fill)
        return sub

    def _interrupted(self, scope: ScopeBuilder, inside: tuple[Block, ...], last: str) -> str:
        return self._guarded(scope, inside, last, interrupting=True)

    def _beside(self, scope: ScopeBuilder, inside: tuple[Block, ...], last: str) -> str:
        return self._guarded(scope, inside, last, interrupting=False)

    def _guarded(
        self, scope: ScopeBuilder, inside: tuple[Block, ...], last: str, *, interrupting: bool
    ) -> str:
        sub, event = self._sub(scope, inside[1:], last), self._new("event")
        scope.boundary(event, on=sub, interrupting=interrupting, message="M")
        end = self.write(scope, inside[0], event)
        return self._gather(scope, "exclusiveGateway", [sub, end]) if len(inside) > 2 else sub


def written_blocks(block: Block) -> ProcessModel:
    """The process of a block; ids are numbered along the way, so similar blocks share many."""
    process = a_process().start("start")
    _Writer().write(process, block, "start")
    return process.model()
