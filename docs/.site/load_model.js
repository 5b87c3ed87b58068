// The calculator of the load model. bench/load_model.py does the same arithmetic; a test compares both.
const FIGURES = {
  postgresInstanceBytes: 233,
  postgresOutcomeBytes: 95,
  sqliteInstanceBytes: 95,
  sqliteOutcomeBytes: 14,
  movedMicroseconds: 4.31,
  twoWorkers: 0.65,
  registeredMicroseconds: 20.1,
  comparedMilliseconds: 86,
  largestDatabase: 50_000_000,
};
const INPUTS = {
  instances: [1_000_000, 'Instances at the beginning'],
  registrations: [5, 'Registrations a second'],
  days: [365, 'Days until the size is computed'],
  upgrades: [4, 'Upgrades a day'],
  each: [100_000, 'Instances in an upgrade'],
  audit: [90, 'Days after which the audit is pruned'],
  versions: [200, 'Versions of all processes'],
  kib: [100, 'KiB of a BPMN document'],
  elements: [200, 'Elements of a model'],
};
const OUTPUTS = {
  rows: ['Rows: instances, outcomes, versions', 0],
  postgres_gb: ['Disk on PostgreSQL, GB', 1],
  sqlite_gb: ['Disk on SQLite, GB', 1],
  upgrade_seconds: ['Seconds of an upgrade on PostgreSQL, one worker', 1],
  upgrade_seconds_two: ['The same by two workers', 1],
  comparison_seconds: ['Seconds to read and compare two versions', 2],
  gateways: ['Gateways that registrations need', 0],
  databases: ['Databases', 0],
};
const DAY = 86_400;
const HALF_A_CORE = 0.5;

function estimate(load) {
  const instances = load.instances + load.registrations * DAY * load.days;
  const outcomes = load.upgrades * load.each * load.audit;
  const documents = load.versions * load.kib * 1024;
  const seconds = (load.each * FIGURES.movedMicroseconds) / 1e6;
  const gigabytes = (kind) =>
    (instances * FIGURES[`${kind}InstanceBytes`] + outcomes * FIGURES[`${kind}OutcomeBytes`] + documents) / 1e9;
  const registering = (load.registrations * FIGURES.registeredMicroseconds) / 1e6;
  return {
    rows: instances + outcomes + load.versions,
    postgres_gb: gigabytes('postgres'),
    sqlite_gb: gigabytes('sqlite'),
    upgrade_seconds: seconds,
    upgrade_seconds_two: seconds * FIGURES.twoWorkers,
    comparison_seconds: ((load.elements / 1000) * FIGURES.comparedMilliseconds) / 1000,
    gateways: Math.max(1, Math.ceil(registering / HALF_A_CORE)),
    databases: Math.max(1, Math.ceil(instances / FIGURES.largestDatabase)),
  };
}

function show(place) {
  const table = (rows) => `<table><tbody>${rows.join('')}</tbody></table>`;
  const field = ([name, [value, label]]) =>
    `<tr><td><label for="load-${name}">${label}</label></td><td><input id="load-${name}" type="number" min="0" step="any"
      value="${value}" style="width: 9rem; border: 1px solid; border-radius: 2px; padding: 2px 6px; font: inherit"></td></tr>`;
  const result = ([name, [label]]) => `<tr><td>${label}</td><td><output id="load-${name}"></output></td></tr>`;
  place.innerHTML =
    `<form>${table(Object.entries(INPUTS).map(field))}</form>` + table(Object.entries(OUTPUTS).map(result));
  const compute = () => {
    const entries = Object.keys(INPUTS).map((name) => [name, Number(place.querySelector(`#load-${name}`).value)]);
    const isValid = entries.every(([, value]) => value >= 0);
    const found = isValid ? estimate(Object.fromEntries(entries)) : {};
    for (const [name, [, digits]] of Object.entries(OUTPUTS)) {
      const format = { minimumFractionDigits: digits, maximumFractionDigits: digits };
      place.querySelector(`#load-${name}`).textContent = isValid ? found[name].toLocaleString('en', format) : '';
    }
  };
  place.addEventListener('input', compute);
  place.addEventListener('submit', (event) => event.preventDefault());
  compute();
}

if (typeof document === 'undefined') module.exports = { FIGURES, INPUTS, OUTPUTS, estimate };
else if (document.getElementById('load-calculator')) show(document.getElementById('load-calculator'));
