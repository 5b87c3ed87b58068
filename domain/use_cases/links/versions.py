"""Publishes the versions of a linked engine, each with its model and under the number it has there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from uplift.domain.errors import InvalidModel
from uplift.domain.model.link import Link
from uplift.domain.model.linked_process import LinkedProcess
from uplift.domain.model.process import (
    Process,
    ProcessKey,
    Version,
    VersionModel,
    VersionNumber,
    VersionState,
    is_name,
)
from uplift.domain.ports.process_engine import (
    EngineFault,
    EngineFaultKind,
    EngineVersion,
    EngineVersionId,
    ProcessEngine,
)
from uplift.domain.use_cases.links.holding import HeldLink
from uplift.domain.use_cases.links.pages import pages_of
from uplift.domain.use_cases.links.problems import Problems
from uplift.domain.use_cases.versions import MAX_TITLE_LENGTH, MAX_VERSION

MAX_ENGINE_VERSIONS = 100_000
"""The versions of an engine that a sweep holds in memory, some 50 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptVersion:
    """A version of a linked process that is published in Uplift."""

    process: ProcessKey
    number: VersionNumber
    engine_id: EngineVersionId


class VersionSweep:
    """Reads the versions of an engine and publishes the new ones. `problems` are sentences for operators.

    A problem with one process or version does not stop the others.
    """

    def __init__(self, held: HeldLink, engine: ProcessEngine, problems: Problems) -> None:
        self._held = held
        self._engine = engine
        self._problems = problems

    async def run(self) -> list[SweptVersion]:
        """Return the versions that are published now, by process and number. Raises EngineFault."""
        by_process: dict[ProcessKey, list[EngineVersion]] = {}
        count = 0
        async for page in pages_of(self._engine.versions):
            count += len(page)
            if count > MAX_ENGINE_VERSIONS:
                raise EngineFault(
                    EngineFaultKind.FAILED,
                    f"Expected an engine with at most {MAX_ENGINE_VERSIONS:,} versions of processes, but it "
                    "lists more.",
                )
            for version in page:
                if is_linkable(version, self._held.link, self._problems):
                    key = ProcessKey(namespace=self._held.link.namespace, code=version.key)
                    by_process.setdefault(key, []).append(version)
        swept: list[SweptVersion] = []
        linked = {linked.process for linked in await self._held.store.links.processes(self._held.link.id)}
        for key, versions in by_process.items():
            versions.sort(key=lambda version: version.number)
            if key in linked or await self._link_process(key, versions):
                swept += await self._publish(key, versions)
        return swept

    async def _link_process(self, key: ProcessKey, versions: Sequence[EngineVersion]) -> bool:
        """Link a process, and create it unless it exists without versions. False if it cannot be linked."""
        title = next((version.name for version in reversed(versions) if version.name), None) or key.code
        process = Process(key=key, title=_printable(title), created_at=self._held.worker.clock())
        async with self._held.transaction() as (transaction, link):
            existing = await transaction.processes.find(key)
            if existing is None:
                await transaction.processes.add(process)
            elif existing.link is not None or (await transaction.processes.lock_versions([key]))[key]:
                whose = "of its own" if existing.link is None else "of another link"
                self._problems.add(
                    f"Expected to link process '{key}', but it exists in Uplift with versions {whose}."
                )
                return False
            await link.add_process(
                LinkedProcess(process=key, link=self._held.link.id, engine_key=versions[-1].key)
            )
        return True

    async def _publish(self, key: ProcessKey, versions: Iterable[EngineVersion]) -> list[SweptVersion]:
        known = (await self._held.store.links.versions([key]))[key]
        # An engine that was set up anew has other ids for the same numbers, and perhaps other models.
        return [
            SweptVersion(process=key, number=version.number, engine_id=version.id)
            for version in versions
            if known.get(version.number) == version.id or await self._publish_version(key, version)
        ]

    async def _publish_version(self, key: ProcessKey, version: EngineVersion) -> bool:
        try:
            document = await self._engine.model(version.id)
        except EngineFault as fault:
            if fault.kind is not EngineFaultKind.FAILED:
                raise
            self._problems.add(f"Could not read version {version.number} of '{key}': {fault.message}")
            return False
        model = await self._model(key, version, document)
        now = self._held.worker.clock()
        published = Version(
            number=version.number,
            state=VersionState.PUBLISHED,
            created_at=version.deployed_at or now,
            published_at=version.deployed_at or now,
            model_process_id=None if model is None else model.process_id,
        )
        async with self._held.transaction() as (transaction, link):
            await transaction.processes.lock_versions([key])
            await transaction.processes.put_version(key, published, None if model is None else model.document)
            await link.put_version(key, version.number, version.id)
        return True

    async def _model(self, key: ProcessKey, version: EngineVersion, document: bytes) -> VersionModel | None:
        try:
            process_id = await self._held.worker.comparer.choose_process(
                document, process_id=version.key, preferred_id=None
            )
        except InvalidModel as error:
            self._problems.add(
                f"Could not read the model of version {version.number} of '{key}': {error.message}"
            )
            return None
        return VersionModel(document=document, process_id=process_id)


def is_linkable(version: EngineVersion, link: Link, problems: Problems) -> bool:
    """Whether a version of the engine belongs to a link, and Uplift can name it."""
    if version.tenant != link.tenant:
        return False
    if not is_name(version.key):
        problems.add(f"Expected a key that is a segment of a URL path, but got {version.key[:200]!r}.")
        return False
    if not 1 <= version.number <= MAX_VERSION:
        problems.add(
            f"Expected a version from 1 to {MAX_VERSION:,}, but '{version.key}' has {version.number}."
        )
        return False
    return True


def _printable(title: str) -> str:
    return "".join(character for character in title if character.isprintable())[:MAX_TITLE_LENGTH]
