// The views that a page shows, and the changes that must update them: each is an operation.
const FRAGMENTS = `
  fragment ProcessFields on Process {
    id title latestPublishedVersion {id number} versions {id number state} cohorts {version status position count}
  }
  fragment InstanceFields on ProcessInstance {id instanceId version status position}
  fragment UpgradeFields on Upgrade {id state total upgraded skipped finishedAt}
  fragment WithInstances on Process {...ProcessFields instances(first: 50) {totalCount nodes {...InstanceFields}}}
`;

// An operation with those of the fragments that it uses.
function operation(text) {
  const fragments = new Map(FRAGMENTS.split('fragment ').map((part) => [part.split(' ')[0], part.trim()]));
  const used = new Set();
  const collect = (part) => {
    for (const [, name] of part.matchAll(/\.\.\.(\w+)/g)) {
      if (fragments.has(name) && !used.has(name)) collect(fragments.get(used.add(name) && name));
    }
  };
  collect(text);
  return [text, ...[...used].map((name) => `fragment ${fragments.get(name)}`)].join('\n');
}

export const DIFF = `query($namespace: String!, $code: String!) {
  process(namespace: $namespace, code: $code) {
    id
    comparison(fromVersion: 1, toVersion: 2) {
      changed {source {elementId name kind} target {elementId name kind} aspects}
      added {elementId name} removed {elementId name} warnings {code message} mapping {source target}
    }
  }
}`;

const name = '$namespace: String!, $code: String!';
export const VIEWS = {
  processes: operation('{processes(first: 100) {nodes {...ProcessFields}}}'),
  process: operation(`query(${name}) {process(namespace: $namespace, code: $code) {...WithInstances}}`),
  instance: operation('query($instance: UUID!) {instance(id: $instance) {...InstanceFields process {id title}}}'),
  upgrade: operation('query($upgrade: UUID!) {upgrade(id: $upgrade) {...UpgradeFields}}'),
  version: operation('query($version: ID!) {node(id: $version) {id ... on Version {number state createdAt publishedAt}}}'),
  diff: DIFF,
};

const mutation = (field, fields) => {
  const input = `${field[0].toUpperCase()}${field.slice(1)}Input`;
  return operation(`mutation($input: ${input}!) {${field}(input: $input) {${fields} userErrors {message}}}`);
};
const changed = 'upgrade {...UpgradeFields of {...UpgradeFields} process {...WithInstances}}';

export const PAUSE = mutation('pauseUpgrade', 'upgrade {id}');
export const CANCEL = mutation('cancelUpgrade', 'upgrade {id}');
export const PROGRESS = operation(
  'subscription($upgrade: UUID!) {upgradeProgress(id: $upgrade) {...UpgradeFields process {...WithInstances}}}',
);

export const PROCESS = operation(
  `subscription(${name}) {processChanged(namespace: $namespace, code: $code) {...WithInstances}}`,
);

// What another client does to the process: the texts and inputs of mutations.
export function changesByAnother({ namespace, code, newcomer }) {
  const process = { namespace, code };
  return [
    [
      mutation('reportInstances', 'count'),
      { instances: [{ id: newcomer, status: 'RUNNING', position: ['approve'] }] },
    ],
    [mutation('saveDraft', 'version {id}'), process],
    [mutation('publishVersion', 'version {id}'), process],
  ];
}

// The mutations in order: their names, texts and inputs, which may depend on the result before.
export function changes({ namespace, code, upgrade, instance, newcomer }) {
  const process = { namespace, code };
  return [
    ['saveDraft', mutation('saveDraft', 'version {id state createdAt publishedAt} process {...ProcessFields}'), () => process],
    [
      'publishVersion',
      mutation('publishVersion', 'version {id state createdAt publishedAt} process {...ProcessFields}'),
      () => process,
    ],
    [
      'registerInstances',
      mutation('registerInstances', 'process {...WithInstances}'),
      () => ({ ...process, instances: [{ id: newcomer, version: 1, status: 'RUNNING', position: ['check'] }] }),
    ],
    [
      'reportInstances',
      mutation('reportInstances', 'instances {...InstanceFields} processes {...ProcessFields}'),
      () => ({ instances: [{ id: newcomer, status: 'PENDING', position: ['check'] }] }),
    ],
    ['pauseUpgrade', mutation('pauseUpgrade', 'upgrade {...UpgradeFields}'), () => ({ id: upgrade })],
    ['resumeUpgrade', mutation('resumeUpgrade', 'upgrade {...UpgradeFields}'), () => ({ id: upgrade })],
    [
      'upgradeInstances',
      mutation('upgradeInstances', changed),
      () => ({ ...process, selection: { instanceIds: [instance] } }),
    ],
    [
      'undoUpgrade',
      mutation('undoUpgrade', changed),
      ({ upgradeInstances }) => ({ id: upgradeInstances.upgrade.id }),
    ],
  ];
}
