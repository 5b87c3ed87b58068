// Keeps what GraphiQL remembers between visits, except for request headers, because the key is one of them.

// The history stores the headers of every operation, whatever shouldPersistHeaders says.
const HISTORY = new Set(["graphiql:queries", "graphiql:favorites"]);

export function storageWithoutHeaders(storage) {
  return {
    getItem: (name) => storage.getItem(name),
    setItem: (name, value) => storage.setItem(name, HISTORY.has(name) ? withoutHeaders(value) : value),
    removeItem: (name) => storage.removeItem(name),
    clear: () => ours(storage).forEach((name) => storage.removeItem(name)),
    get length() {
      return ours(storage).length;
    },
  };
}

function ours(storage) {
  return Object.keys(storage).filter((name) => name.startsWith("graphiql:"));
}

function withoutHeaders(json) {
  return JSON.stringify(JSON.parse(json), (name, value) => (name === "headers" ? undefined : value));
}
