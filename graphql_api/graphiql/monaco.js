// Loads the editor and says where its workers are: separate files beside this one, so that no blob: address is needed.

// GraphiQL loads the editor lazily; imported here as well, its style sheet and its icon font become part of the page's.
import "monaco-graphql/esm/monaco-editor.js";

globalThis.MonacoEnvironment = {
  getWorker: (_id, label) => new Worker(new URL(WORKER_FILES[label] ?? WORKER_FILES.editor, import.meta.url)),
};
