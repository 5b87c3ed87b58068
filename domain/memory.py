"""A store in this program's memory: for trying the library out, and for tests that need no database."""

from asyncio import Lock
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from domain.cohort import Cohort, CountedCohort
from domain.decision import INSTANCE_NOT_FOUND, CountedDecision, Decision, Verdict
from domain.instance import ACTIVE, Instance, InstanceId, InstanceReport, Status
from domain.paging import Item, Page, PageRequest, page_of
from domain.ports import CarriedOut, InstanceFilter, OutcomeFilter, RecordedChunk, SelectedCohorts
from domain.process import Process, ProcessKey, Version, VersionNumber, VersionState
from domain.selection import ByIds, Selection, SelectionKind
from domain.upgrade import Outcome, Upgrade, UpgradeId, UpgradeState


@dataclass(slots=True)
class _State:
    """Everything the store holds. Its dictionaries keep the order of their lists."""

    processes: dict[ProcessKey, Process] = field(default_factory=dict)
    versions: dict[tuple[ProcessKey, VersionNumber], Version] = field(default_factory=dict)
    models: dict[tuple[ProcessKey, VersionNumber], bytes] = field(default_factory=dict)
    instances: dict[InstanceId, Instance] = field(default_factory=dict)
    upgrades: dict[UpgradeId, Upgrade] = field(default_factory=dict)
    selected: dict[UpgradeId, tuple[InstanceId, ...]] = field(default_factory=dict)
    """The ids that each upgrade walks along: those asked for, or all there were of the process but some."""
    missing: dict[UpgradeId, frozenset[InstanceId]] = field(default_factory=dict)
    """The ids asked for that no instance of the process had when the upgrade was added."""
    recorded: dict[tuple[UpgradeId, InstanceId], Cohort] = field(default_factory=dict)
    decisions: dict[tuple[UpgradeId, Cohort], CountedDecision] = field(default_factory=dict)

    def snapshot(self) -> "_State":
        """The same values in dictionaries of their own."""
        return _State(**{name: copy(getattr(self, name)) for name in self.__slots__})


class InMemoryStore:
    """A Store that forgets everything when the program ends. Implements domain.ports.Store."""

    def __init__(self) -> None:
        self._state = _State()
        self._lock = Lock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["InMemoryTransaction"]:
        async with self._lock:
            draft = self._state.snapshot()
            yield InMemoryTransaction(draft)
            self._state = draft

    async def process(self, key: ProcessKey) -> Process | None:
        return _process(self._state, key)

    async def processes(self, page: PageRequest) -> Page[Process]:
        state = self._state
        return _page((_shown(state, process) for process in state.processes.values()), page)

    async def processes_named(self, keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, Process]:
        found = ((key, _process(self._state, key)) for key in keys)
        return {key: process for key, process in found if process is not None}

    async def versions(self, keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, tuple[Version, ...]]:
        return {key: _versions(self._state, key) for key in keys}

    async def model(self, key: ProcessKey, number: VersionNumber) -> bytes | None:
        return self._state.models.get((key, number))

    async def instances(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        held = self._state.instances
        return {given: held[given] for given in ids if given in held}

    async def instance_pages(
        self, keys: Sequence[ProcessKey], which: InstanceFilter, page: PageRequest
    ) -> Mapping[ProcessKey, Page[Instance]]:
        return {
            key: _page(_instances(self._state, key), page, lambda one: _shows(which, one)) for key in keys
        }

    async def cohorts(self, keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, tuple[CountedCohort, ...]]:
        return {key: _counted(_cohort_of(one) for one in _instances(self._state, key)) for key in keys}

    async def selected_cohorts(self, key: ProcessKey, selection: Selection) -> SelectedCohorts:
        selected = _selected(self._state, key, selection)
        is_by_ids = isinstance(selection, ByIds)
        return SelectedCohorts(
            cohorts=_counted(_cohort_of(one) for one in selected),
            not_found=len(selection.ids) - len(selected) if isinstance(selection, ByIds) else 0,
            excluded=0 if is_by_ids else len(_active(self._state, key)) - len(selected),
        )

    async def cohort_pages(
        self, key: ProcessKey, selection: Selection, cohorts: Sequence[Cohort], page: PageRequest
    ) -> Mapping[Cohort, Page[Instance]]:
        selected = {one.id for one in _selected(self._state, key, selection)}
        held = [
            (number, one)
            for number, one in enumerate(_instances(self._state, key), start=1)
            if one.id in selected
        ]
        return {
            cohort: page_of(
                [(n, one) for n, one in held if n > (page.after or 0) and _cohort_of(one) == cohort][
                    : page.first + 1
                ],
                page.first,
            )
            for cohort in cohorts
        }

    async def upgrade(self, upgrade: UpgradeId) -> Upgrade | None:
        return self._state.upgrades.get(upgrade)

    async def upgrades(self, process: ProcessKey | None, page: PageRequest) -> Page[Upgrade]:
        numbered = list(enumerate(self._state.upgrades.values(), start=1))
        rows = [
            (number, upgrade)
            for number, upgrade in reversed(numbered)
            if process in (None, upgrade.process) and (page.after is None or number < page.after)
        ]
        return page_of(rows[: page.first + 1], page.first)

    async def unfinished_upgrades(self) -> tuple[Upgrade, ...]:
        return tuple(one for one in self._state.upgrades.values() if one.state is UpgradeState.RUNNING)

    async def outcome_pages(
        self, upgrades: Sequence[UpgradeId], which: OutcomeFilter, page: PageRequest
    ) -> Mapping[UpgradeId, Page[Outcome]]:
        state = self._state
        return {
            upgrade: _page(_outcomes(state, upgrade), page, lambda one: _shows_outcome(which, one))
            for upgrade in upgrades
        }

    async def decisions(
        self, upgrades: Sequence[UpgradeId]
    ) -> Mapping[UpgradeId, tuple[CountedDecision, ...]]:
        held = self._state.decisions
        return {
            upgrade: tuple(
                held[owner, cohort]
                for owner, cohort in sorted(held, key=lambda one: _order(one[1]))
                if owner == upgrade and held[owner, cohort].decision.verdict is Verdict.SKIP
            )
            for upgrade in upgrades
        }


class InMemoryTransaction:
    """Writes to a draft of the state that becomes the state when the transaction ends well."""

    def __init__(self, state: _State) -> None:
        self._state = state

    async def process(self, key: ProcessKey) -> Process | None:
        return _process(self._state, key)

    async def add_process(self, process: Process) -> None:
        self._state.processes[process.key] = process

    async def versions(self, keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, tuple[Version, ...]]:
        return {key: _versions(self._state, key) for key in keys}

    async def model(self, key: ProcessKey, number: VersionNumber) -> bytes | None:
        return self._state.models.get((key, number))

    async def put_version(self, key: ProcessKey, version: Version, model: bytes | None) -> None:
        self._state.versions[key, version.number] = version
        if model is None:
            self._state.models.pop((key, version.number), None)
        else:
            self._state.models[key, version.number] = model

    async def publish(self, key: ProcessKey, number: VersionNumber, at: datetime) -> None:
        draft = self._state.versions[key, number]
        self._state.versions[key, number] = replace(draft, state=VersionState.PUBLISHED, published_at=at)

    async def processes_of(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, ProcessKey]:
        held = self._state.instances
        return {given: held[given].process for given in ids if given in held}

    async def register(self, _: ProcessKey, instances: Sequence[Instance]) -> None:
        for new in instances:
            known = self._state.instances.get(new.id)
            self._state.instances[new.id] = new if known is None else replace(new, version=known.version)

    async def report(self, _: ProcessKey, reports: Sequence[InstanceReport]) -> None:
        for report in reports:
            known = self._state.instances[report.id]
            self._state.instances[report.id] = replace(known, status=report.status, position=report.position)

    async def upgrade(self, upgrade: UpgradeId) -> Upgrade | None:
        return self._state.upgrades.get(upgrade)

    async def add_upgrade(self, upgrade: Upgrade, selection: Selection) -> Upgrade:
        present = {one.id: one for one in _instances(self._state, upgrade.process)}
        if isinstance(selection, ByIds):
            self._state.selected[upgrade.id] = selection.ids
            self._state.missing[upgrade.id] = frozenset(selection.ids).difference(present)
            kept = upgrade
        else:
            left_out = frozenset(selection.excluded)
            self._state.selected[upgrade.id] = tuple(one for one in present if one not in left_out)
            excluded = sum(one in present and present[one].status in ACTIVE for one in left_out)
            kept = replace(upgrade, excluded=excluded)
        self._state.upgrades[upgrade.id] = kept
        return kept

    async def record_chunk(self, upgrade: Upgrade, size: int) -> RecordedChunk:
        selected = self._state.selected[upgrade.id]
        end = _end_of_chunk(self._state, upgrade, size)
        covered = selected[upgrade.cursor : end]
        missing = self._state.missing.get(upgrade.id, frozenset())
        known = [self._state.instances[given] for given in covered if given not in missing]
        recorded = [one for one in known if _is_selected(upgrade, one)]
        for one in recorded:
            self._state.recorded[upgrade.id, one.id] = _cohort_of(one)
        return RecordedChunk(
            cohorts=tuple({_cohort_of(one): None for one in recorded}),
            recorded=len(recorded),
            not_found=len(covered) - len(known),
            cursor=end,
            is_last=end == len(selected),
        )

    async def carry_out(
        self, upgrade: Upgrade, chunk: RecordedChunk, decisions: Sequence[Decision]
    ) -> CarriedOut:
        by_cohort = {decision.cohort: decision for decision in decisions}
        for cohort, decision in by_cohort.items():
            self._state.decisions.setdefault(
                (upgrade.id, cohort), CountedDecision(decision=decision, count=0)
            )
        moved, skipped = 0, Counter[Cohort]()
        for given in self._state.selected[upgrade.id][upgrade.cursor : chunk.cursor]:
            if (cohort_found := self._state.recorded.get((upgrade.id, given))) is not None:
                if by_cohort[cohort_found].verdict is Verdict.UPGRADE:
                    moved += self._move(upgrade, given, by_cohort[cohort_found])
                else:
                    skipped[cohort_found] += 1
        for cohort, count in skipped.items():
            self._add_count(upgrade.id, cohort, count)
        return CarriedOut(
            moved=moved,
            skipped=tuple(CountedDecision(decision=by_cohort[one], count=n) for one, n in skipped.items()),
        )

    async def save_upgrade(self, upgrade: Upgrade) -> None:
        self._state.upgrades[upgrade.id] = upgrade

    def _add_count(self, upgrade: UpgradeId, cohort: Cohort, count: int) -> None:
        before = self._state.decisions[upgrade, cohort]
        self._state.decisions[upgrade, cohort] = replace(before, count=before.count + count)

    def _move(self, upgrade: Upgrade, given: InstanceId, decision: Decision) -> bool:
        instance = self._state.instances[given]
        if _cohort_of(instance) != decision.cohort:
            return False
        assert decision.to_position is not None, "an UPGRADE decision has a position"
        self._state.instances[given] = replace(
            instance, version=upgrade.target_version, position=decision.to_position
        )
        return True


def _process(state: _State, key: ProcessKey) -> Process | None:
    held = state.processes.get(key)
    return None if held is None else _shown(state, held)


def _shown(state: _State, process: Process) -> Process:
    published = [
        version.number for version in _versions(state, process.key) if version.state is VersionState.PUBLISHED
    ]
    return replace(process, latest_published=max(published, default=None))


def _versions(state: _State, key: ProcessKey) -> tuple[Version, ...]:
    own = (version for (owner, _), version in state.versions.items() if owner == key)
    return tuple(sorted(own, key=lambda version: version.number))


def _instances(state: _State, key: ProcessKey) -> list[Instance]:
    return [one for one in state.instances.values() if one.process == key]


def _active(state: _State, key: ProcessKey) -> list[Instance]:
    return [one for one in _instances(state, key) if one.status in ACTIVE]


def _selected(state: _State, key: ProcessKey, selection: Selection) -> list[Instance]:
    if isinstance(selection, ByIds):
        named = (state.instances.get(given) for given in selection.ids)
        return [one for one in named if one is not None and one.process == key]
    left_out = set(selection.excluded)
    return [one for one in _active(state, key) if one.id not in left_out]


def _end_of_chunk(state: _State, upgrade: Upgrade, size: int) -> int:
    selected = state.selected[upgrade.id]
    if upgrade.selection is SelectionKind.BY_IDS:
        return min(upgrade.cursor + size, len(selected))
    behind = enumerate(selected[upgrade.cursor :], start=upgrade.cursor + 1)
    active = (end for end, given in behind if _is_selected(upgrade, state.instances[given]))
    return next(islice(active, size - 1, None), len(selected))


def _is_selected(upgrade: Upgrade, instance: Instance) -> bool:
    return upgrade.selection is SelectionKind.BY_IDS or instance.status in ACTIVE


def _outcomes(state: _State, upgrade: UpgradeId) -> list[Outcome]:
    if upgrade not in state.upgrades:
        return []
    if state.upgrades[upgrade].selection is SelectionKind.BY_IDS:
        asked_for: Iterable[InstanceId] = state.selected[upgrade][: state.upgrades[upgrade].cursor]
    else:
        asked_for = [given for owner, given in state.recorded if owner == upgrade]
    return [_outcome(state, upgrade, given) for given in asked_for]


def _outcome(state: _State, upgrade: UpgradeId, given: InstanceId) -> Outcome:
    cohort = state.recorded.get((upgrade, given))
    if cohort is None:
        return Outcome(instance=given, reasons=(INSTANCE_NOT_FOUND,))
    decision = state.decisions[upgrade, cohort].decision
    upgraded = decision.verdict is Verdict.UPGRADE
    return Outcome(
        instance=given,
        reasons=decision.reasons,
        from_version=cohort.version,
        to_version=state.upgrades[upgrade].target_version if upgraded else cohort.version,
        from_position=cohort.position,
        to_position=decision.to_position if upgraded else cohort.position,
    )


def _cohort_of(instance: Instance) -> Cohort:
    return Cohort(version=instance.version, status=instance.status, position=instance.position)


def _counted(cohorts: Iterable[Cohort]) -> tuple[CountedCohort, ...]:
    largest_first = Counter(cohorts).most_common()
    in_order = sorted(largest_first, key=lambda counted: _order(counted[0]))
    return tuple(CountedCohort(cohort=cohort, count=count) for cohort, count in in_order)


def _order(cohort: Cohort) -> tuple[VersionNumber, int]:
    return cohort.version, list(Status).index(cohort.status)


def _shows(which: InstanceFilter, instance: Instance) -> bool:
    return which.status in (None, instance.status) and which.version in (None, instance.version)


def _shows_outcome(which: OutcomeFilter, outcome: Outcome) -> bool:
    has_reason = which.reason is None or any(reason.code is which.reason for reason in outcome.reasons)
    return which.kind in (None, outcome.kind) and has_reason


def _page(
    items: Iterable[Item], page: PageRequest, is_shown: Callable[[Item], bool] = lambda _: True
) -> Page[Item]:
    # A key is an item's place in the whole list: in the filtered one it would shift when items change.
    after = page.after or 0
    rows = ((key, item) for key, item in enumerate(items, start=1) if key > after and is_shown(item))
    return page_of(islice(rows, page.first + 1), page.first)
